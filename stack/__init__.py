"""A deployed stack seen from outside: its outputs, config and state, by the `pulumi` on the path.

The rule: only what runs beside the program asks here; the program itself needs none of it.
"""
