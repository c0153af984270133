"""The policy pack: what no stack may declare, enforced by the engine (`pulumi preview --policy-pack policy`).

The rule: it trusts neither the program nor the stack's config; it reads what the engine is about to do. From `model` it
imports only limits and naming, and it never imports the sandbox.
"""
