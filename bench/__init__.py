"""Benchmarks: side by side in one run, a ratio or an exponent, one line of `key=value`, 1 where a goal is missed."""
