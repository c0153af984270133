"""The entry point that Pulumi's Python language host runs."""

from infra.program import main
from model.secrecy.output_guard import guard_output

guard_output()
main()
