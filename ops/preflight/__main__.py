"""`python -m ops.preflight`, which `python -m verify preflight` runs."""

import sys

from model.secrecy.output_guard import guard_output
from ops.preflight.command import main

guard_output()
sys.exit(main(sys.argv[1:]))
