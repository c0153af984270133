"""Keeps secrets out of output: the secret values that a process has read, and a guard for all that it writes.

The rule: it does not know what the secrets are for.
"""
