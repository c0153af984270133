"""The requests to the store: reads, and attempts that do no harm.

The rule: an answer becomes a fact (`verify.facts`), and nothing here gives a verdict.
"""
