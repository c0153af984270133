"""The codes of facts where the server gave no answer, or was too busy to give one.

The rule: checks import this module, so nothing here contacts a server.
"""

SILENT = "ServerSilent"
NO_ANSWER = frozenset(
    {
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "EndpointConnectionError",
        "EndpointUnreachable",
        "HTTPClientError",
        "MaxRetryError",
        "NewConnectionError",
        "ProtocolError",
        "ReadTimeoutError",
        "SSLError",
        "URLError",
    }
)

# IAM never answers UnauthorizedOperation; MinIO's admin API answers AccessDenied or XMinioAdminNotAllowed.
ADMIN_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})

BUSY = frozenset(
    {
        "429",
        "503",
        "HTTP 429",
        "HTTP 503",
        "ServiceUnavailable",
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "Throttling",
        "TooManyRequests",
        "Unavailable",
    }
)
