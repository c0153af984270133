"""The preflight: what would go wrong at `pulumi up` or `pulumi refresh`, told before either is run.

The rule: it works from a stack's config and state, since there may be no outputs yet, and it changes nothing anywhere.
`stack` reads what Pulumi knows, `server` asks the server, `checks`, `aistor` and `aws` judge, `command` is the command
line. It needs a pulumi on the path, and Pulumi's SDK for reading the config: it runs where a stack is
deployed from. That the store is as planned is the suite's to prove, afterwards.
"""
