"""How a large file is cut. A part's size depends on nothing but the file's size, so that every client makes the same parts
of the same bytes, today and after a resume, and the store the same ETag."""

from __future__ import annotations

PART_SIZE = 16 << 20
MAX_PARTS = 1000  # S3 takes 10,000; fewer parts complete faster


def part_size_for(size_bytes: int | None) -> int:
    """16 MiB, doubled until no more than 1000 parts are needed. None: a size that nobody knows yet."""
    part = PART_SIZE
    while size_bytes is not None and size_bytes > part * MAX_PARTS:
        part *= 2
    return part


def part_count(size_bytes: int, part_size: int) -> int:
    """How many parts; an empty file has one, which is empty."""
    return max(1, -(-size_bytes // part_size))


def part_length(number: int, size_bytes: int, part_size: int) -> int:
    """The bytes of part `number` (from 1): all are full but the last."""
    return min(part_size, size_bytes - (number - 1) * part_size)
