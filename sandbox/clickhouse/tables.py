"""The owner's table of events: its columns, engines and time to live.

The rule: the columns and the sort key are those of the owner's `ensureClickHouseOtelSchema`. The variants are what runs
there or may come: the live table is a plain MergeTree, and a schema drifts.
"""

from collections.abc import Mapping

DATABASE = "joelclaw"
TABLE = f"{DATABASE}.otel_events"
CREATE_DATABASE = f"CREATE DATABASE IF NOT EXISTS {DATABASE}"
INSTANT = "DateTime64(3, 'UTC')"


def columns(instant: str = INSTANT) -> dict[str, str]:
    """The types of the columns by name, in order, with defaults."""
    return {
        "id": "String",
        "timestamp": instant,
        "date": "Date DEFAULT toDate(timestamp)",
        "sessionId": "Nullable(String)",
        "systemId": "Nullable(String)",
        "level": "LowCardinality(String)",
        "source": "LowCardinality(String)",
        "component": "LowCardinality(String)",
        "action": "String",
        "success": "UInt8",
        "duration_ms": "Nullable(UInt32)",
        "error": "String",
        "metadata_json": "String",
        "metadata_keys": "Array(String)",
        "search_text": "String",
        "received_at": f"{INSTANT} DEFAULT now64(3)",
    }


def create_table(
    table: str = TABLE,
    *,
    is_replacing: bool = True,
    ttl_days: int | None = 180,
    instant: str = INSTANT,
    more: Mapping[str, str] | None = None,
) -> str:
    """The statement that creates the table.

    Args:
        table: Its name, with the database.
        is_replacing: Whether rows of one sort key replace each other, or are all kept by a plain MergeTree.
        ttl_days: After how many days a row goes; None for never.
        instant: The type of `timestamp`: with other digits, or without a time zone.
        more: Further columns, or other types of these.
    """
    held = ", ".join(f"{name} {kind}" for name, kind in (columns(instant) | dict(more or {})).items())
    engine = "ReplacingMergeTree(received_at)" if is_replacing else "MergeTree"
    ttl = f" TTL toDateTime(timestamp) + INTERVAL {ttl_days} DAY DELETE" if ttl_days is not None else ""
    return (
        f"CREATE TABLE {table} ({held}) ENGINE = {engine} PARTITION BY toYYYYMM(timestamp)"
        f" ORDER BY (id, timestamp, source, component, action){ttl}"
    )
