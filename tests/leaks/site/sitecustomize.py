"""Loaded by every Python process of a watched command: it reports started processes, and can log at debug level.

The rule: it writes only to the paths in the variables LEAKS_ARGUMENTS and LEAKS_DEBUG.
"""

import logging
import os
import sys
from pathlib import Path

STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.spawn")


def _tell(event: str, arguments: tuple[object, ...]) -> None:
    if event in STARTS:
        # The last one is the environment, which may hold secrets.
        told = arguments[:-1] if event != "os.system" else arguments
        if event == "subprocess.Popen":
            told = arguments[:2]
        with Path(os.environ["LEAKS_ARGUMENTS"]).open("a", encoding="utf-8") as notes:
            notes.write(
                "\n".join(str(word) for one in told for word in (one if isinstance(one, list | tuple) else [one]))
            )
            notes.write("\n")


if "LEAKS_ARGUMENTS" in os.environ:
    sys.addaudithook(_tell)
if "LEAKS_DEBUG" in os.environ:
    handler = logging.FileHandler(Path(os.environ["LEAKS_DEBUG"]) / f"debug-{os.getpid()}.log", encoding="utf-8")
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
