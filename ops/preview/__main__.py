"""Where `python -m ops.preview` starts."""

import sys

from model.secrecy.output_guard import guard_output
from ops.preview.command import main

guard_output()
sys.exit(main(sys.argv[1:]))
