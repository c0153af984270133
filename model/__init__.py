"""The model: what is declared, the plan that follows from it, and the contract that a stack publishes.

The rule: it is pure. It imports only pydantic, yaml, the standard library and the model itself. It starts no process
and does not use the network.
"""
