"""Benchmarks: each runs both sides, prints one line of `key=value`, and exits with 1 if it misses a goal."""
