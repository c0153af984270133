"""Bad days: what can be lost or go wrong, and the documented lines that must lead back.

The rule: a day damages a deployed stack by hand, runs the lines of its section of `docs/` as they are written there,
and then the preview is empty, `verify` proves everything, and every access key that the day did not cost still works.
"""
