"""`object-store`: the console command, thin; each command is a module of the room that it belongs to.

The rule: nothing is decided here. A command's module is imported when that command is run, so that none waits for
another's libraries, and what a command ends with is `model.exit_codes`'s. Of the product, this room alone knows the
sandbox.
"""
