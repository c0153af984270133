"""Where `python -m infra.preview` starts."""

import sys

from infra.preview.command import main

sys.exit(main(sys.argv[1:]))
