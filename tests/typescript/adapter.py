"""The TypeScript package in the form of the Python adapter, for tests that judge any of the two."""

import base64
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import object_store
from object_store import ObjectRef
from tests.typescript.driver import TypeScriptDriver


class TypeScriptStore:
    """The operations of `ObjectStore` that the package has, with the adapter's own errors."""

    def __init__(self, driver: TypeScriptDriver, parts: TypeScriptDriver) -> None:
        """Take two running drivers: the second one sends blocks in parts, however few they are."""
        self._driver, self._parts = driver, parts

    def upload(self, bucket: str, key: str, body: bytes | Iterable[bytes]) -> ObjectRef:
        """Store bytes, or blocks as a stream."""
        as_stream = {} if isinstance(body, bytes) else {"as": "stream"}
        content = body if isinstance(body, bytes) else b"".join(body)
        given = {"base64": base64.b64encode(content).decode(), **as_stream}
        driver = self._driver if isinstance(body, bytes) else self._parts
        return _ref(_done(driver, "upload", bucket, key, body=given)["ref"])

    def download_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        *,
        streams: int = 1,
        unverified: Callable[[ObjectRef], None] = lambda _: None,
    ) -> ObjectRef:
        """Write a file; the package reads by one connection."""
        del streams
        found = _done(self._driver, "downloadFile", bucket, key, path=str(path))
        if not found["verified"]:
            unverified(_ref(found["ref"]))
        return _ref(found["ref"])

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectRef]:
        """List."""
        yield from map(_ref, _done(self._driver, "list", bucket, "", prefix=prefix)["refs"])

    def delete_object(self, bucket: str, key: str) -> None:
        """Remove."""
        _done(self._driver, "delete", bucket, key)

    def head(self, bucket: str, key: str) -> ObjectRef:
        """The reference alone."""
        return _ref(_done(self._driver, "head", bucket, key)["ref"])


def _done(driver: TypeScriptDriver, operation: str, bucket: str, key: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a step's fields
    found = driver.do({"do": operation, "bucket": bucket, "key": key, **more})
    if "error" not in found:
        return found
    kind: type[object_store.ObjectStoreError] = getattr(object_store, found["error"])
    raise kind(found["message"])


def _ref(given: dict[str, Any]) -> ObjectRef:
    return ObjectRef.parse(given)
