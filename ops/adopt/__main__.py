"""Where `python -m ops.adopt` starts."""

import sys

from model.secrecy.output_guard import guard_output
from ops.adopt.command import main

guard_output()
sys.exit(main(sys.argv[1:]))
