"""Log files of processes that only ever append to them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LIMIT = 16_000_000  # bytes


def keep_short(log: Path, limit: int = LIMIT) -> None:
    """Move what a log holds aside once it has grown over `limit`, under the feet of the process that writes it: it
    appends, so its next line lands at the start. One generation is kept."""
    if log.exists() and log.stat().st_size > limit:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)


def tail(log: Path, lines: int = 20) -> str:
    """The end of a log."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16_000))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
