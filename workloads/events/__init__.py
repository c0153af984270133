"""The owner's events that carry references: their models, and how a consumer gets the bytes."""
