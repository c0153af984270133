"""The preflight: it finds what would go wrong in `pulumi up` or `pulumi refresh`, before either runs.

The rule: it works from a stack's config and state, because outputs may not exist yet, and it changes nothing. `stack`
reads what Pulumi knows, `server` queries the server, `checks`, `aistor` and `aws` judge, and `command` is the command
line. It needs `pulumi` on PATH and Pulumi's SDK to read the config, so it runs where the stack is deployed from. It
leaves out whether the store is as planned; the suite proves that after the deployment.
"""
