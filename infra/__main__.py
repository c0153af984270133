"""Where Pulumi's Python language host starts the program."""

from infra.output_guard import guard_output
from infra.program import main

guard_output()
main()
