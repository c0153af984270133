"""Adoption: imports resources that exist on the server but are not in the state.

`adoptable` decides what can be imported and how, `live` reads what exists, and `command` is the command line.
"""
