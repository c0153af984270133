"""Settings of a bucket that moto does not have, or of which it keeps only a part: they stay as they were sent.

The rule: the server neither reads nor applies them, it gives them back. On AWS these are analytics, intelligent
tiering, inventory, metrics and who pays for requests; on AIStor what its versioning has beyond S3's, such as excluded
prefixes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sandbox.server import moto_store
from sandbox.server.answers import Answer, ApiError
from sandbox.server.s3_actions import Cloud

if TYPE_CHECKING:
    from sandbox.server.web import Request

#: Query parameter -> the root of a list of all, for settings of which a bucket has several, each with an id.
_LISTS = {
    "analytics": "ListBucketAnalyticsConfigurationsResult",
    "intelligent-tiering": "ListBucketIntelligentTieringConfigurationsOutput",
    "inventory": "ListInventoryConfigurationsResult",
    "metrics": "ListMetricsConfigurationsResult",
}
_PAYMENT = b"<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"
_ATTRIBUTE = "kept_settings"
_DECLARATION = re.compile(rb"^\s*<\?xml[^>]*\?>\s*")


def answer(request: Request, cloud: Cloud) -> Answer | None:
    """The answer to a request about such a setting; None if moto answers it."""
    if request.key or moto_store.bucket(request.bucket) is None:
        return None
    parameters = request.parameters
    if cloud is Cloud.AISTOR:
        found = _kept(request.bucket).get("versioning")
        return _xml(found) if request.method == "GET" and "versioning" in parameters and found else None
    if "requestPayment" in parameters:
        return _one(request, "requestPayment", _PAYMENT)
    kind = next((kind for kind in _LISTS if kind in parameters), None)
    return None if kind is None else _of_list(request, kind)


def remember(request: Request, cloud: Cloud) -> None:
    """Keep the body of a request that moto has accepted, if moto keeps only a part of it."""
    if cloud is Cloud.AISTOR and request.method == "PUT" and not request.key and "versioning" in request.parameters:
        _kept(request.bucket)["versioning"] = _DECLARATION.sub(b"", request.body)


def _one(request: Request, kind: str, default: bytes) -> Answer:
    kept = _kept(request.bucket)
    if request.method == "PUT":
        kept[kind] = _DECLARATION.sub(b"", request.body)
        return Answer(200)
    return _xml(kept.get(kind, default))


def _of_list(request: Request, kind: str) -> Answer:
    kept, name = _kept(request.bucket), request.parameters.get("id", "")
    own = f"{kind}/{name}"
    if request.method == "PUT":
        kept[own] = _DECLARATION.sub(b"", request.body)
        return Answer(200)
    if not name:
        held = b"".join(body for key, body in sorted(kept.items()) if key.startswith(f"{kind}/"))
        root = _LISTS[kind].encode()
        return _xml(b"<%b>%b<IsTruncated>false</IsTruncated></%b>" % (root, held, root))
    if own not in kept:
        raise ApiError("NoSuchConfiguration", "The specified configuration does not exist.", 404)
    if request.method == "DELETE":
        del kept[own]
        return Answer(204)
    return _xml(kept[own])


def _kept(bucket: str) -> dict[str, bytes]:
    found = moto_store.bucket(bucket)
    if not hasattr(found, _ATTRIBUTE):
        setattr(found, _ATTRIBUTE, {})
    held: dict[str, bytes] = getattr(found, _ATTRIBUTE)
    return held


def _xml(body: bytes) -> Answer:
    return Answer(200, [("Content-Type", "application/xml")], body)
