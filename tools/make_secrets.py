"""Writes the secrets that compose.yaml asks for into a `.env` that only its owner can read: `make_secrets.py [FILE]`.

What already has a value keeps it: a password of a running server cannot be changed by writing another one into a file.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path


def _password() -> str:
    """Forty characters that need no quoting in a URL, a shell or an .env file; MinIO takes no more."""
    return secrets.token_hex(20)


def _key_id(kind: str) -> Callable[[], str]:
    """The public half of an S3 credential: at most twenty characters."""
    return lambda: f"{kind}-{secrets.token_hex(6)}"


SECRETS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": _password,  # signs logins and media addresses
    "INTERNAL_TOKEN": _password,  # gateway to search
    "MEDIA_PROXY_TOKEN": _password,  # the media proxy's clients
    "POSTGRES_ADMIN_PASSWORD": _password,
    "POSTGRES_PASSWORD": _password,
    "RABBITMQ_ADMIN_PASSWORD": _password,
    "RABBITMQ_PASSWORD": _password,
    "RABBITMQ_OBJECTSTORE_PASSWORD": _password,
    "MINIO_ROOT_USER": _key_id("root"),
    "MINIO_ROOT_PASSWORD": _password,
    "MINIO_ACCESS_KEY": _key_id("app"),
    "MINIO_SECRET_KEY": _password,
    "MINIO_SIGNER_ACCESS_KEY": _key_id("signer"),
    "MINIO_SIGNER_SECRET_KEY": _password,
    "QDRANT_API_KEY": _password,
    "VECTORS_TOKEN": _password,  # in place of Qdrant's key where our own process holds the vectors
    "GRAFANA_ADMIN_PASSWORD": _password,
}

_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?(?P<name>[A-Z][A-Z0-9_]*)\s*=\s*(?P<value>.*?)\s*$")


def completed(text: str) -> tuple[str, list[str]]:
    """The file's text with a value for every secret that had none, and the names of those. An assignment without a
    value is filled in where it stands; all other lines stay as they are."""
    missing = dict(SECRETS)
    lines: list[str] = []
    made: list[str] = []
    for line in text.splitlines():
        found = _ASSIGNMENT.match(line)
        if found and found["name"] in missing:
            make = missing.pop(found["name"])
            if found["value"] in ("", '""', "''"):
                made.append(found["name"])
                line = f"{found['name']}={make()}"
        lines.append(line)
    lines += [f"{name}={make()}" for name, make in missing.items()]
    return "\n".join(lines) + "\n", made + list(missing)


def write(path: Path) -> list[str]:
    """Complete the file at `path` in one step and close it to others; returns the names that were made."""
    text, made = completed(path.read_text(encoding="utf-8") if path.exists() else "")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return made


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else ".env")
    made = write(path)
    print(f"{path}: {', '.join(made)} made" if made else f"{path}: every secret is there, nothing was changed")


if __name__ == "__main__":
    main()
