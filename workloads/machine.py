"""The name of this machine in keys and receipts.

The rule: it is the configured one, or it is fixed at the first use and kept in the state folder. A host's name changes
with its network, and each change would begin a new archive.
"""

import re
import socket
from pathlib import Path

from model.whole_file import write_whole
from workloads.settings import NAME_LENGTH_MAXIMUM, Workloads


def machine_of(settings: Workloads, state: Path) -> str:
    """The machine's name; at the first use it is made from the host's name and kept."""
    if settings.machine is not None:
        return settings.machine
    path = state / "machine"
    if path.exists():
        return path.read_text(encoding="utf-8").strip()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    first = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().partition(".")[0].lower()).strip("-")
    name = (first if re.match(r"[a-z]", first) else f"machine-{first}")[:NAME_LENGTH_MAXIMUM].rstrip("-")
    write_whole(path, f"{name}\n")
    return name
