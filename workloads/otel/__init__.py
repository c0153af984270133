"""The archive of OTEL events: from ClickHouse to partitions of the event's UTC day, and back."""
