"""The Python adapter as a driver of the contract's cases."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from object_store import ObjectRef, ObjectStore, ObjectStoreError, StoreConfig
from tests.contract.case_table import body_of
from trials.servers import Server


class PythonDriver:
    """The adapter in this process."""

    def __init__(self, server: Server | None) -> None:
        """Take the server; cases of settings and references need none."""
        self._server = server
        self._store = ObjectStore(server.config) if server else None

    def do(self, step: Mapping[str, Any]) -> dict[str, Any]:
        """Do one step."""
        try:
            return self._done(step)
        except ObjectStoreError as error:
            return {"error": type(error).__name__, "message": str(error)}

    def opened(self, url: str, body: bytes | None) -> tuple[int, bytes]:
        """The server's answer to a URL."""
        assert self._server is not None
        return self._server.open(url, "GET" if body is None else "PUT", body)

    def close(self) -> None:
        """Release the connections."""
        if self._store is not None:
            self._store.close()

    def _done(self, step: Mapping[str, Any]) -> dict[str, Any]:
        if step["do"] == "configure":
            return {"config": StoreConfig.from_environment(step["environment"]).endpoint}
        if step["do"] == "parse":
            return {"ref": _json(ObjectRef.parse(step["reference"]))}
        assert self._store is not None
        found: dict[str, Any] = _OPERATIONS[step["do"]](self._store, step["bucket"], step.get("key", ""), step)
        return found


def _uploaded(store: ObjectStore, bucket: str, key: str, step: Mapping[str, Any]) -> dict[str, Any]:
    given = step["body"]
    body: Any = Path(given["path"]) if "path" in given else body_of(given)
    ref = store.upload(
        bucket,
        key,
        _blocks(body) if given.get("as") == "stream" else body,
        step.get("contentType"),
        metadata=step.get("metadata"),
        if_absent=step.get("ifAbsent", False),
    )
    return {"ref": _json(ref)}


def _downloaded(store: ObjectStore, bucket: str, key: str, step: Mapping[str, Any]) -> dict[str, Any]:
    found = store.fetch(bucket, key, etag=step.get("etag"))
    digest, metadata = hashlib.sha256(found.body).hexdigest(), dict(found.metadata)
    return {"ref": _json(found.ref), "body": digest, "metadata": metadata, "verified": found.verified}


def _written(store: ObjectStore, bucket: str, key: str, step: Mapping[str, Any]) -> dict[str, Any]:
    unproven: list[ObjectRef] = []
    ref = store.download_file(bucket, key, Path(step["path"]), etag=step.get("etag"), unverified=unproven.append)
    return {"ref": _json(ref), "verified": not unproven}


_OPERATIONS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "upload": _uploaded,
    "download": _downloaded,
    "downloadFile": _written,
    "head": lambda store, bucket, key, _: {"ref": _json(store.head(bucket, key))},
    "list": lambda store, bucket, _, step: {"refs": [_json(one) for one in store.list(bucket, step["prefix"])]},
    "presign": lambda store, bucket, key, step: {
        "url": store.presign(bucket, key, step["seconds"], step.get("method", "GET"))
    },
    "delete": lambda store, bucket, key, _: store.delete_object(bucket, key) or {},
}


def _json(ref: ObjectRef) -> dict[str, Any]:
    return ref.model_dump(mode="json")


def _blocks(body: bytes) -> Iterator[bytes]:
    yield from (body[at : at + 1_000_003] for at in range(0, len(body), 1_000_003))
