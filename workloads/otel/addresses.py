"""What a URL of a server may be. Pure."""

from urllib.parse import urlsplit


def is_plain_url(text: str) -> bool:
    """Whether it is `http(s)://HOST[:PORT][/PATH]`, without a user, a password or a query, and can be a host's."""
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna")
        is_port = parts.port != 0
    except ValueError:  # brackets that do not fit, a port that is none, a name that is too long
        return False
    is_bare = "@" not in parts.netloc and not parts.query and not parts.fragment
    is_written = text.isprintable() and not any(letter.isspace() for letter in text)
    return parts.scheme in ("http", "https") and bool(host) and is_port and is_bare and is_written
