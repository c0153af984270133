"""What keeps a secret from being seen: the values that were read, and the guard of all that a process writes.

The rule: it knows nothing of what the secrets are for.
"""
