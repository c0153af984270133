"""A virtual environment whose `python` forks from a process that has loaded the packages already.

The rule: only tests that start many Pythons use it, because each loads the same packages for a second; no test of the
start itself does. It runs the same modules with the same arguments, environment, folder and streams; what it does not
know (a server, which must keep its process id; any other script) is given to the real Python. Whoever ends the started
`python` ends the process behind it, even with SIGKILL.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

READY_SECONDS = 60
_PARENT = Path(__file__).with_name("warm_parent.py")
_LAUNCHER = Path(__file__).with_name("warm_launcher.py")


@contextmanager
def warm_environment(folder: Path) -> Iterator[Path]:
    """The path of a warm Python, for the time of the block.

    Args:
        folder: Becomes the virtual environment.

    Raises:
        TimeoutError: The process behind it is not ready.
    """
    real = Path(sys.prefix)
    binaries = folder / "bin"
    binaries.mkdir(parents=True)
    shutil.copyfile(real / "pyvenv.cfg", folder / "pyvenv.cfg")
    (folder / "lib").symlink_to(real / "lib")
    for one in (real / "bin").iterdir():
        if one.name != "python":
            (binaries / one.name).symlink_to(one)
    socket = folder / "warm.socket"
    python = binaries / "python"
    (folder / "real").symlink_to(real / "bin" / "python")
    python.write_text(f"#!{real / 'bin' / 'python'} -IS\n{_LAUNCHER.read_text(encoding='utf-8')}", encoding="utf-8")
    python.chmod(0o755)
    command = [sys.executable, "-I", str(_PARENT), str(socket), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:  # noqa: S603 - our own
        deadline = time.monotonic() + READY_SECONDS
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise TimeoutError(f"the warm Python did not come up ({process.returncode})")
            time.sleep(0.05)
        # The end of its standard input ends it; a kill would leave what it has forked: a killed engine's provider.
        yield python
