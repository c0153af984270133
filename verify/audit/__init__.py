"""The audit: reads all that governs buckets and identities, with the auditor's key, and changes nothing.

The rule: nothing here judges, and nothing here drops what it does not know: a bucket's settings stay the server's own
text. `verify.checks` compares them with the plan.
"""
