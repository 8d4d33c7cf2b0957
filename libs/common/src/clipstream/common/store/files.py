"""Local files, read beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from clipstream.common.errors import NotFound


async def read_file(path: Path, chunk: int = 1 << 20) -> AsyncIterator[bytes]:
    """The file's bytes in pieces; memory stays at one of them."""
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.") from None
    try:
        while piece := await asyncio.to_thread(file.read, chunk):
            yield piece
    finally:
        await asyncio.to_thread(file.close)
