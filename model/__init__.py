"""The model: what is declared, what it comes to, and the contract that a stack publishes.

The rule: pure. Only pydantic, yaml and the standard library, and of that neither processes nor the network; nothing of
ours but the model itself.
"""
