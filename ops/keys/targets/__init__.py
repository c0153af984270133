"""The targets of a delivery: one module each, all with the interface of `outcome`."""
