"""ClickHouse's types of columns as DuckDB's. Pure.

The rule: no digit is lost. A type that has no equal is read as JSON, which keeps what was written.
"""

import re
from typing import Final

_WRAPPED: Final = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)")
_ARRAY: Final = re.compile(r"Array\((.*)\)")
_DECIMAL: Final = re.compile(r"Decimal\((\d+), (\d+)\)")
_DIGITS_MAXIMUM: Final = 38
"""Of a decimal in DuckDB."""
_PLAIN: Final = {
    "Bool": "BOOLEAN",
    "Date": "DATE",
    "Date32": "DATE",
    "Float32": "FLOAT",
    "Float64": "DOUBLE",
    "Int8": "TINYINT",
    "Int16": "SMALLINT",
    "Int32": "INTEGER",
    "Int64": "BIGINT",
    "Int128": "HUGEINT",
    "String": "VARCHAR",
    "UInt8": "UTINYINT",
    "UInt16": "USMALLINT",
    "UInt32": "UINTEGER",
    "UInt64": "UBIGINT",
    "UInt128": "UHUGEINT",
    "UUID": "UUID",
    "IPv4": "VARCHAR",
    "IPv6": "VARCHAR",
}


def duckdb_type(kind: str) -> str:
    """The type of DuckDB that holds every value of one of ClickHouse.

    Args:
        kind: As ClickHouse writes it, such as `LowCardinality(Nullable(String))`.
    """
    while found := _WRAPPED.fullmatch(kind):
        kind = found[1]
    array = _ARRAY.fullmatch(kind)
    if array is not None:
        return f"{duckdb_type(array[1])}[]"
    if kind.startswith(("FixedString(", "Enum8(", "Enum16(")):
        return "VARCHAR"
    if kind.startswith(("DateTime64(7", "DateTime64(8", "DateTime64(9")):
        return "TIMESTAMP_NS"
    if kind.startswith("DateTime"):
        return "TIMESTAMP"
    decimal = _DECIMAL.fullmatch(kind)
    if decimal is not None and int(decimal[1]) <= _DIGITS_MAXIMUM:
        return f"DECIMAL({decimal[1]}, {decimal[2]})"
    return _PLAIN.get(kind, "JSON")
