"""What asks the store: reads, and trials that do no harm.

The rule: an answer becomes a fact (`verify.facts`), and nothing is judged here.
"""
