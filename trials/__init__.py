"""What tests do to stores and servers: damages, faults of the connection, questions that servers answer differently.

The rule: tests run what is declared here, and `docs/` prints it, so that both always agree. The product does not import
it.
"""
