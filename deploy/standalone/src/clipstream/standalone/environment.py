"""The environment that this process was started with. Read here and nowhere else in the package."""

from __future__ import annotations

import os
from pathlib import Path

_PASSED_ON = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "GOPROXY",
    "GONOSUMDB",
    "GOSUMDB",
    "GOFLAGS",
    "GOPRIVATE",
)


def inherited() -> dict[str, str]:
    """All of it, as a dictionary of its own."""
    return dict(os.environ)  # noqa: TID251 - the one place


def plain(home: Path) -> dict[str, str]:
    """What a private server or a tool may see of it: how to reach the network and programs, nothing that would steer
    it (a stray RABBITMQ_… or PG… of the operator's), and `home` as its home directory."""
    mine = inherited()
    return {name: mine[name] for name in _PASSED_ON if name in mine} | {"HOME": str(home)}
