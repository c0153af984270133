"""What each workload needs of the store: one identity, and its access by domain.

The rule: no program here uses anything else. An identity may serve several workloads. A test holds this table against
`infra/taxonomy.yaml`, and `verify` holds the taxonomy against the live store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from model.taxonomy import Access


@dataclass(frozen=True)
class Need:
    """What one workload needs.

    Attributes:
        identity: The identity in the taxonomy whose key pair it has.
        access: The access that it needs, by domain.
    """

    identity: str
    access: Mapping[str, Access]


NEEDS: Mapping[str, Need] = MappingProxyType(
    {
        "sessions": Need("session-archiver", MappingProxyType({"session-archive": Access.APPEND})),
        "otel": Need("otel-exporter", MappingProxyType({"otel-archive": Access.APPEND})),
        "vault": Need("vault-backup", MappingProxyType({"vault-backups": Access.APPEND})),
        "discovery": Need("worker", MappingProxyType({"discovery-raw": Access.APPEND})),
        "events": Need(
            "worker",
            MappingProxyType(
                {
                    "media-raw": Access.APPEND,
                    "media-derived": Access.WRITE,
                    "docs-raw": Access.APPEND,
                    "docs-derived": Access.WRITE,
                    "discovery-raw": Access.APPEND,
                }
            ),
        ),
        "media": Need("worker", MappingProxyType({"media-raw": Access.APPEND, "media-derived": Access.WRITE})),
        "documents": Need("worker", MappingProxyType({"docs-raw": Access.APPEND, "docs-derived": Access.WRITE})),
    }
)
