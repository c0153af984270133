"""Where `python -m infra.preview` starts."""

import sys

from infra.output_guard import guard_output
from infra.preview.command import main

guard_output()
sys.exit(main(sys.argv[1:]))
