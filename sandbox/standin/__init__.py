"""Stand-in provider plugins: what `minio` and `aws` would answer the Pulumi engine, on the sandbox's own server.

The one rule: a stand-in computes every answer from a property table and the live server, so that a program which
works here makes the same calls, sees the same defaults, unknowns, secrets and replacements, and fails in the same
words as with the real plugin. `rpc.py` is the generic half (its docstring is the interface), `minio/` and `aws/`
are the two tables. Left out: functions (`invoke`), components and every resource type the program does not use.
"""
