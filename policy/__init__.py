"""The policy pack: what no stack may declare, judged by the engine itself (`pulumi preview --policy-pack policy`).

The rule: it trusts neither the program nor the stack's config; it reads what the engine is about to do. It imports
of `model` only the limits and the naming, and never the sandbox.
"""
