"""Where our own vector process listens: a socket in the file system, or a port with a token."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_MAX_SOCKET_PATH = 107  # bytes; Linux's sun_path less its final zero


@dataclass(frozen=True, slots=True)
class Address:
    """One of `path` (`unix:/path`) and `host` with `port` (`tcp://host:port`) is set."""

    path: str | None = None
    host: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, url: str) -> Address:
        """ValueError, in words for an operator, where `url` is neither."""
        parts = urlsplit(url)
        if parts.scheme == "unix" and parts.path.startswith("/"):
            if len(parts.path.encode()) > _MAX_SOCKET_PATH:
                raise ValueError(
                    f"VECTORS_URL: the socket's path is longer than {_MAX_SOCKET_PATH} bytes: {parts.path}"
                )
            return cls(path=parts.path)
        if parts.scheme == "tcp" and parts.hostname and parts.port is not None:
            return cls(host=parts.hostname, port=parts.port)
        raise ValueError(f"VECTORS_URL must be unix:/path/to/socket or tcp://host:port, not {url!r}")
