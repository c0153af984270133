"""Reads a deployed stack from outside: its outputs, config and state, with the `pulumi` on the path.

The rule: only commands outside the Pulumi program use it; the program itself does not.
"""
