"""The generated part of `docs/adapter.md`: the adapter's operations, from their docstrings."""

import inspect
from collections.abc import Callable
from typing import Any

import object_store
from object_store import ObjectStore, proxies
from object_store import config as settings
from object_store.dual_write import DualWriter
from object_store.parity import parity
from object_store.payload import identity_of, resolve

OPERATIONS = (
    ObjectStore.upload,
    ObjectStore.download,
    ObjectStore.fetch,
    ObjectStore.stream,
    ObjectStore.read_range,
    ObjectStore.download_file,
    ObjectStore.head,
    ObjectStore.stat,
    ObjectStore.list,
    ObjectStore.presign,
    ObjectStore.delete_object,
)
FOLDERS = (object_store.folders.upload_dir, object_store.folders.download_dir)
MOVING = (resolve, identity_of, DualWriter.write, parity)
HEADINGS = ("Args:", "Returns:", "Yields:", "Raises:")


def adapter_operations() -> str:
    """What each operation does, takes, returns and raises; the settings; the errors."""
    lines = ["## Operations", "", _text(inspect.getdoc(ObjectStore) or "")]
    for title, group in (
        ("Objects", OPERATIONS),
        ("Folders", FOLDERS),
        ("Connection", (object_store.try_connection,)),
        ("From NAS paths to references", MOVING),
    ):
        lines += ["", f"### {title}"]
        for operation in group:
            lines += ["", f"#### `{operation.__name__}`", "", *_operation(operation)]
    lines += ["", "## Settings", "", _text(inspect.getdoc(settings) or "")]
    lines += ["", "## Proxies", "", _text(inspect.getdoc(proxies) or "")]
    lines += ["", "## Errors", "", "```", _drawing(), "```"]
    return "\n".join(lines) + "\n"


def _operation(operation: Callable[..., Any]) -> list[str]:
    signature = str(inspect.signature(operation)).replace("self, ", "").replace("'", "")
    return ["```python", f"{operation.__name__}{signature}", "```", "", _text(inspect.getdoc(operation) or "")]


def _text(docstring: str) -> str:
    """Google's sections as lists."""
    lines: list[str] = []
    section = False
    for line in docstring.splitlines():
        bare = line.strip()
        if bare in HEADINGS:
            lines += [f"**{bare.rstrip(':')}**", ""]
            section = True
        elif section and line.startswith("    ") and not line.startswith("     ") and bare:
            name, colon, rest = bare.partition(": ")
            lines.append(f"- `{name}`: {rest}" if colon and " " not in name else f"- {bare}")
        elif bare.startswith("Source:"):
            lines.append(bare.replace("Source:", "Source:", 1))
        else:
            section = section and (not bare or line.startswith(" "))
            lines.append(f"  {bare}" if section and bare else bare)
    return "\n".join(lines)


def _drawing() -> str:
    drawn = inspect.getdoc(object_store.errors) or ""
    return inspect.cleandoc(drawn[drawn.index("    ObjectStoreError") :])
