"""One byte range of a representation (RFC 9110 §14). Several ranges at once are answered with the whole, as it allows."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE = re.compile(r"^bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*$")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `end`, both included."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start + 1


class Unsatisfiable(ValueError):
    """The range lies outside of the representation."""


def parse(header: str, size: int) -> Span | None:
    """The range that `header` asks for; None where the whole is to be sent. Raises `Unsatisfiable`."""
    match = _ONE.match(header)
    if match is None or (not match[1] and not match[2]):
        return None
    if not match[1]:
        return _span(size - int(match[2]), size - 1, size) if int(match[2]) else _none()
    end = int(match[2]) if match[2] else size - 1
    return None if match[2] and end < int(match[1]) else _span(int(match[1]), end, size)


def _span(start: int, end: int, size: int) -> Span:
    if start >= size:
        _none()
    return Span(max(start, 0), min(end, size - 1))


def _none() -> Span:
    raise Unsatisfiable
