"""What is made of a document: text, metadata and chunks, as `docs-artifacts` has them, with one commit.

The rule: the commit is put last and alone makes the files count. Its key is made of their content, so the same files
give the same objects at any time, other files stand beside them, and the newest commit counts. It has no run's time.
"""

import hashlib
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from model.problems import InvalidInputError, Problem
from object_store import ObjectRef, ObjectStore
from workloads.archive.commit import Stored, sha256_of
from workloads.archive.proven import put_proven
from workloads.documents.original import Original

FILES: Final[Mapping[str, tuple[str, str]]] = {
    "md": ("{id}.md", "text/markdown; charset=utf-8"),
    "meta.json": ("{id}.meta.json", "application/json"),
    "chunks.jsonl": ("{id}.chunks.jsonl", "application/x-ndjson"),
}
"""The name of each in the store, and in its folder of `docs-artifacts`."""
COMMIT: Final = "commit.json"
_DIGEST_SHOWN: Final = 16


def found_in(folder: Path, document_id: str) -> dict[str, Path]:
    """The files of a document in its folder.

    Raises:
        InvalidInputError: One is missing, or is not a file.
    """
    files = {name: folder / form.format(id=document_id) for name, (form, _) in FILES.items()}
    wrong = []
    for path in files.values():
        try:
            reason = "" if stat.S_ISREG(path.stat().st_mode) else "is not a file"
        except OSError as fault:
            reason = f"cannot be used: {fault.strerror}"
        if reason:
            wrong.append(Problem("--derived", f"{path} {reason}", ", ".join(p.name for p in files.values()), f"{path}"))
    if wrong:
        raise InvalidInputError(wrong)
    return files


def store_derived(
    store: ObjectStore, bucket: str, original: Original, files: Mapping[str, Path]
) -> dict[str, ObjectRef]:
    """Store the files of a document and then their commit; the reference of each, and of the commit.

    Raises:
        DamagedError: What comes back is not what was stored.
        ObjectStoreError: The store does not take it, or is away.
        OSError: A file cannot be read.
    """
    bodies = {name: path.read_bytes() for name, path in files.items()}
    digests = {name: sha256_of(body) for name, body in bodies.items()}
    content = hashlib.sha256("".join(digests[name] for name in sorted(digests)).encode()).hexdigest()[:_DIGEST_SHOWN]
    prefix = f"docs/{original.after}/{content}/"
    refs = {}
    for name, body in bodies.items():
        refs[name] = _put(store, bucket, f"{prefix}{name}", body, FILES[name][1])
    commit = json.dumps(
        {
            "version": 1,
            "docId": original.after,
            "original": _named(original.ref, original.sha256),
            "files": {name: _named(refs[name], digests[name]) for name in sorted(refs)},
        },
        sort_keys=True,
        indent=1,
    ).encode()
    refs["commit"] = _put(store, bucket, f"{prefix}{COMMIT}", commit, "application/json")
    return refs


def _named(ref: ObjectRef, sha256: str) -> dict[str, Any]:
    return {**ref.model_dump(mode="json"), "sha256": sha256}


def _put(store: ObjectStore, bucket: str, key: str, body: bytes, content_type: str) -> ObjectRef:
    folder, _, name = key.rpartition("/")

    def numbered(number: int) -> str:
        return key if number == 1 else f"{folder}.{number}/{name}"

    stored: Stored
    stored, _ = put_proven(store, bucket, numbered, body, sha256_of(body), content_type=content_type)
    return ObjectRef(bucket=bucket, key=stored.key, etag=stored.etag, size=stored.size, content_type=content_type)
