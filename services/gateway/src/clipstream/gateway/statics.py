"""Files that pages need, served under names that hold their hash: what a name stands for never changes."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".png": "image/png",
}
_PACKED = (".js", ".css")


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent; `packed` with gzip where that makes it smaller."""

    content_type: str
    body: bytes
    packed: bytes | None


class StaticFiles:
    """The files of a directory, held in memory: about a megabyte."""

    def __init__(self, directory: Path) -> None:
        self._names: dict[str, str] = {}
        self._files: dict[str, StaticFile] = {}
        for path in sorted(directory.iterdir()):
            if path.suffix in TYPES:
                self._add(path)

    def _add(self, path: Path) -> None:
        body = path.read_bytes()
        stem, _, rest = path.name.partition(".")
        name = f"{stem}-{hashlib.sha256(body).hexdigest()[:16]}.{rest}"
        packed = gzip.compress(body, 6, mtime=0) if path.suffix in _PACKED else None
        self._names[path.name] = name
        self._files[name] = StaticFile(TYPES[path.suffix], body, packed)

    def path(self, name: str) -> str:
        """Where a file is served. `KeyError` where there is none of that name."""
        return f"/static/{self._names[name]}"

    def find(self, hashed_name: str) -> StaticFile | None:
        return self._files.get(hashed_name)

    def read(self, name: str) -> StaticFile:
        return self._files[self._names[name]]
