"""What an operator runs beside `pulumi up`: preview, preflight, keys, adoption, recovery.

The rule: it may use all that is beneath it, and nothing beneath imports it; never the sandbox.
"""
