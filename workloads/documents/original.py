"""Stores one original, and proves that its identity is unchanged."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from object_store import InvalidKey, ObjectRef, ObjectStore
from object_store.content_type import guess_content_type
from workloads.archive.patience import Pulse
from workloads.archive.steady import UnfitError, opened_file, put_file
from workloads.documents.identity import document_id, id_of_key, key_of

_INGESTED: Final = frozenset({".pdf", ".md", ".txt"})


@dataclass(frozen=True)
class Original:
    """A stored original.

    Attributes:
        ref: The object.
        sha256: Of its bytes.
        before: The identity by the path.
        after: The identity by the reference.
        is_ingested: Whether `docs-ingest` takes files of its suffix today.
    """

    ref: ObjectRef
    sha256: str
    before: str
    after: str
    is_ingested: bool


def store_original(
    store: ObjectStore, bucket: str, path: bytes, name: bytes, pulse: Pulse | None = None, *, follow: bool = False
) -> Original:
    """Store a file under a name, or find it stored, and read it back.

    Args:
        store: The store.
        bucket: The bucket of the originals.
        path: The file.
        name: Its original name.
        pulse: Gets a sign of life for each block that was read.
        follow: Whether the path may be a link.

    Raises:
        UnfitError: It is not a file, is empty, has a name that no key can hold, or changes while it is read.
        DamagedError: What comes back is not what was stored.
        ObjectStoreError: The store does not take it, or is away.
        OSError: It cannot be read.
    """
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise UnfitError("its name is not UTF-8, which a key must be") from None
    with opened_file(path, pulse, follow=follow) as file:
        sha256, content_type = file.sha256, guess_content_type(text)
        try:
            ref = put_file(store, bucket, lambda number: key_of(text, sha256, number), file, content_type, pulse=pulse)
        except InvalidKey:
            raise UnfitError("its name has a backslash or a control character, which no key can hold") from None
    suffix = Path(text).suffix.lower()
    return Original(ref, sha256, document_id(text, sha256), id_of_key(ref.key), suffix in _INGESTED)
