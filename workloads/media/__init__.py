"""Media files: what is taken for whole before it is stored."""
