"""What a judge reports, and how it reads."""

from __future__ import annotations

import posixpath
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

Read = Callable[[str], bytes]
"""The bytes of a file, by its name relative to where the manifests stand; `FileNotFoundError` where there is none."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One departure from a specification. A note is allowed but worth knowing; anything else is a fault."""

    where: str
    rule: str
    what: str
    note: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.what} [{self.rule}]"


def faults(findings: Iterable[Finding]) -> list[Finding]:
    """Without the notes."""
    return [finding for finding in findings if not finding.note]


class Report:
    """Collects findings about one thing."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.findings: list[Finding] = []

    def check(self, holds: object, rule: str, what: str) -> bool:
        """A fault unless `holds`; says whether it does."""
        if not holds:
            self.findings.append(Finding(self.where, rule, what))
        return bool(holds)

    def note(self, holds: object, rule: str, what: str) -> None:
        if not holds:
            self.findings.append(Finding(self.where, rule, what, note=True))


def resolve(base: str, reference: str) -> str:
    """The name that a relative reference (RFC 3986) inside the file `base` means."""
    if "://" in reference:
        return reference
    path, mark, query = urljoin(base, reference).partition("?")
    return posixpath.normpath(path) + mark + query


def read_directory(directory: Path) -> Read:
    """Read from a directory, and from nowhere above it."""
    root = directory.resolve()

    def read(name: str) -> bytes:
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise FileNotFoundError(f"{name} leaves the directory")
        return path.read_bytes()

    return read


def read_web(base: str) -> Read:
    """Read from a web server; blocks. `base` is where the manifests stand, with a slash at its end."""

    def read(name: str) -> bytes:
        try:
            with urllib.request.urlopen(urljoin(base, name), timeout=60) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError as error:
            raise FileNotFoundError(f"{name}: HTTP {error.code}") from error

    return read


def remembered(read: Read) -> Read:
    """Every file is fetched once."""
    known: dict[str, bytes] = {}

    def again(name: str) -> bytes:
        if name not in known:
            known[name] = read(name)
        return known[name]

    return again
