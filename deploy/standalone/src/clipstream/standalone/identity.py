"""What a private server keeps between its starts beside its data: ports and credentials."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_PORTS = range(20_000, 32_000)  # below the range that Linux hands out for outgoing connections (32768 and up)


@dataclass(frozen=True)
class Identity:
    """A server's own user, its password, and its ports by name."""

    user: str
    password: str
    ports: dict[str, int]


def recall(path: Path, port_names: Sequence[str]) -> Identity:
    """The identity in `path`, made on first use. A port that somebody else has taken meanwhile is replaced."""
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    identity = Identity(
        user=known.get("user", "clipstream"),
        password=known.get("password") or secrets.token_hex(24),
        ports=settle_ports(known.get("ports", {}), port_names),
    )
    write_private(path, json.dumps(asdict(identity), indent=2))
    return identity


def settle_ports(known: dict[str, int], names: Sequence[str]) -> dict[str, int]:
    """A port for every name: the known one where it is still free."""
    ports: dict[str, int] = {}
    for name in names:
        port = known.get(name)
        while port is None or port in ports.values() or not is_free(port):
            port = secrets.choice(_PORTS)  # `random` may be seeded, and two runs then race for the same ports
        ports[name] = port
    return ports


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: closing connections do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace `path` in one step by a file that only its owner can read."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    draft.replace(path)
