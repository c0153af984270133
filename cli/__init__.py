"""`object-store`: the console command. It is thin: the package of each command's subject does the work.

The rule: this package decides nothing. It imports a command's module only when that command runs, so that no command
waits for the libraries of another. Exit statuses come from `model.exit_codes`. In the product, only this package
imports the sandbox.
"""
