"""Where credentials are handed over to: one module for each target, all of one shape (`outcome`)."""
