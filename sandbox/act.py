"""act, which runs the workflows on this machine. The sandbox builds it from its Go modules.

`act_module` pins the version. This package does not run act; tests/workflows does, with stand-ins for the services that
the workflows call.

Source: https://github.com/nektos/act (MIT)
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sandbox.go_program import GoProgram

PROGRAM: Final = GoProgram(
    name="act",
    version="0.2.89",
    package="github.com/nektos/act",
    module=Path(__file__).parent / "act_module",
    takes="about a minute on 2 cores, ",
)
