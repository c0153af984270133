"""The names of the S3 endpoint in the environment that the owner's systems use.

`S3_ENDPOINT` (the decision record), `S3_ENDPOINT_URL` (Convex) and `MINIO_ENDPOINT` (the Restate helper, also as a bare
host with `MINIO_PORT` and `MINIO_USE_SSL`). The rule: if more than one is set, all must name the same server, or it is
an error. No order of precedence may decide which store receives data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from object_store.errors import ConfigurationError
from object_store.hosts import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPELLINGS = ("S3_ENDPOINT", "S3_ENDPOINT_URL", "MINIO_ENDPOINT")
_TRUE, _FALSE = {"true", "1"}, {"false", "0", ""}


def endpoint_of(env: Mapping[str, str]) -> str | None:
    """Return the endpoint that the environment names, unchecked; None if it names none.

    Raises:
        ConfigurationError: two variables name different servers, or `MINIO_USE_SSL` is neither true nor false.
    """
    given = {name: env[name] for name in _SPELLINGS if name in env}
    if "MINIO_ENDPOINT" in given:
        given["MINIO_ENDPOINT"] = _minio_url(given["MINIO_ENDPOINT"], env)
    different = {canonical(value) for value in given.values()}
    if len(different) > 1:
        raise ConfigurationError(
            f"{' and '.join(given)} name different servers; legal: one of them, or the same value in each: "
            f"unset {' '.join(list(given)[1:])}"
        )
    return next(iter(given.values()), None)


def _minio_url(value: str, env: Mapping[str, str]) -> str:
    if "://" in value or not value.strip():
        return value
    tls = env.get("MINIO_USE_SSL", "").strip().lower()
    if tls not in _TRUE | _FALSE:
        raise ConfigurationError(
            f"MINIO_USE_SSL {tls!r} is neither true nor false; legal: true, false: export MINIO_USE_SSL=true"
        )
    port = env.get("MINIO_PORT", "").strip()
    host = f"[{value}]" if value.count(":") > 1 and "[" not in value else value  # an IPv6 address
    own_port = host.rpartition("]")[2].partition(":")[2]
    if port and own_port and port != own_port:
        raise ConfigurationError(
            f"MINIO_ENDPOINT {value!r} and MINIO_PORT {port!r} name different ports; legal: one of them, or the same "
            "port in both: unset MINIO_PORT"
        )
    if port and not own_port:
        host = f"{host}:{port}"
    return f"{'https' if tls in _TRUE else 'http'}://{host}"
