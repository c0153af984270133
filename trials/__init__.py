"""What stores and servers are tried with: damages, faults on the way, and questions that servers answer differently.

The rule: tests do what is declared here, and `docs/` prints it, so neither can say what the other does not hold. The
product knows nothing of it.
"""
