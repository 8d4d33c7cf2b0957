"""What a child might say once a crafted file has taken it over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clipstream.common.errors import Permanent


def hand_over_twice(*, scratch: Path, emit: Callable[[Path], None]) -> None:
    """Another file under the name of one that is still on its way."""
    for _ in range(2):
        (scratch / "same.bin").write_bytes(b"x")
        emit(Path("same.bin"))


def complain() -> None:
    """In words that no database holds and no wire carries."""
    raise Permanent("a\0b\ud800c" + "d" * 10_000)


def say(*, words: str) -> str:
    return words
