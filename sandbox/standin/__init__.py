"""Stand-in provider plugins: they answer the Pulumi engine as `minio` and `aws` would, on the sandbox's own server.

The one rule: a stand-in computes every answer from a property table and the live server. So a working program makes
the same calls, sees the same defaults, unknowns, secrets and replacements, and fails in the same words as with the
real plugin. `rpc.py` is the generic half (its docstring is the interface); `minio/` and `aws/` are the two tables.
Left out: functions (`invoke`), components and every resource type that the program does not use.
"""
