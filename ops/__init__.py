"""The operator's commands beside `pulumi up`: preview, preflight, keys, adoption, recovery.

The rule: it may import the layers below it, and no layer below imports it. It never imports the sandbox.
"""
