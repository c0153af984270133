"""Adoption: takes over what exists on the server and is not in the state.

`adoptable` says what may be taken over and how, `live` what is there, `command` is the command line.
"""
