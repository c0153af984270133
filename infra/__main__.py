"""Where Pulumi's Python language host starts the program."""

from infra.program import main
from model.secrecy.output_guard import guard_output

guard_output()
main()
