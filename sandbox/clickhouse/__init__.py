"""ClickHouse for tests and benchmarks: chdb, which is ClickHouse's own engine in a library, behind ClickHouse's HTTP.

The rule: it answers as a server of 24.12 does, which is what the owner runs, with the faults that a test orders.
`running` starts it; its process alone loads the engine. Left out: TLS, sessions, and accounts but one.
"""
