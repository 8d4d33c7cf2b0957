"""A seekable binary file over ranges of a remote object. libav reads media through it: it never sees a name, a path or a
URL, and a probe of a large file moves about a megabyte."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from typing import BinaryIO, cast

BLOCK_BYTES = 1 << 20
CACHED_BLOCKS = 24
MOST_BLOCKS_AHEAD = 4

Fetch = Callable[[int, int], bytes]
"""`fetch(offset, length)`: exactly that range; the caller stays inside the object."""


class RangeFile(io.RawIOBase):
    """Blocks are fetched once and kept, oldest dropped first. Reading on doubles how many are fetched at once; a jump
    starts again with one."""

    def __init__(
        self, fetch: Fetch, size: int, *, block_bytes: int = BLOCK_BYTES, cached_blocks: int = CACHED_BLOCKS
    ) -> None:
        self._fetch = fetch
        self._size = size
        self._block_bytes = block_bytes
        self._cached_blocks = max(cached_blocks, MOST_BLOCKS_AHEAD)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._position = 0
        self._ahead = 1
        self._expected = -1

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("a file has no bytes before its first")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the stub asks for an unnameable type
        wanted = min(len(buffer), self._size - self._position)
        if wanted <= 0:
            return 0
        number, start = divmod(self._position, self._block_bytes)
        piece = memoryview(self._block(number))[start : start + wanted]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        self._ahead = min(self._ahead * 2, MOST_BLOCKS_AHEAD) if number == self._expected else 1
        offset = number * self._block_bytes
        body = self._fetch(offset, min(self._ahead * self._block_bytes, self._size - offset))
        if not body:
            raise OSError(f"the object ended at byte {offset} of {self._size}")
        for index, start in enumerate(range(0, len(body), self._block_bytes)):
            self._blocks[number + index] = body[start : start + self._block_bytes]
        self._expected = number + self._ahead
        while len(self._blocks) > self._cached_blocks:
            self._blocks.popitem(last=False)
        return self._blocks[number]


def open_ranges(fetch: Fetch, size: int) -> BinaryIO:
    """The object as an ordinary binary file, reads of any length."""
    return cast(BinaryIO, io.BufferedReader(RangeFile(fetch, size), buffer_size=1 << 17))
