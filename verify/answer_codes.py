"""The codes of answers that say that there was none, or that the server was too busy for one.

The rule: a check may ask for them, so nothing here asks a server.
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

BUSY = frozenset({"503", "HTTP 503", "ServiceUnavailable", "SlowDown", "SlowDownRead", "SlowDownWrite", "Unavailable"})
