"""Where Pulumi's Python language host starts the program."""

from infra.program import main

main()
