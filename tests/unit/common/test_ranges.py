"""The file over ranges reads what a plain file reads, and asks for no byte twice in a row."""

from __future__ import annotations

import io
import random

import pytest

from clipstream.common.media.ranges import RangeFile, open_ranges

BODY = random.Random(5).randbytes(100_003)


class Counting:
    def __init__(self, body: bytes = BODY) -> None:
        self.body = body
        self.asked: list[tuple[int, int]] = []

    def __call__(self, offset: int, length: int) -> bytes:
        assert 0 <= offset < len(self.body)
        assert offset + length <= len(self.body)
        self.asked.append((offset, length))
        return self.body[offset : offset + length]


@pytest.mark.parametrize("seed", range(20))
def test_reads_like_a_plain_file(seed: int) -> None:
    chance = random.Random(seed)
    plain = io.BytesIO(BODY)
    ranged = io.BufferedReader(RangeFile(Counting(), len(BODY), block_bytes=4096, cached_blocks=5), 512)
    for _ in range(200):
        where = chance.choice((io.SEEK_SET, io.SEEK_END, io.SEEK_CUR, None))
        if where == io.SEEK_CUR:
            plain.seek(min(plain.tell() + 77, len(BODY)))
            ranged.seek(plain.tell())
        elif where is not None:
            offset = chance.randint(0, len(BODY) + 10)
            offset = -min(offset, len(BODY)) if where == io.SEEK_END else offset
            assert plain.seek(offset, where) == ranged.seek(offset, where)
        length = chance.choice((1, 100, 5000, 40_000))
        assert plain.read(length) == ranged.read(length)
        assert plain.tell() == ranged.tell()


def test_reading_on_asks_for_more_and_more_and_for_nothing_twice() -> None:
    store = Counting()
    ranged = RangeFile(store, len(BODY), block_bytes=4096)
    assert ranged.readall() == BODY
    assert [length for _, length in store.asked[:4]] == [4096, 8192, 16384, 16384]
    assert sum(length for _, length in store.asked) == len(BODY)


def test_a_jump_asks_for_one_block() -> None:
    store = Counting()
    ranged = RangeFile(store, len(BODY), block_bytes=4096)
    ranged.read(20_000)
    ranged.seek(90_000)
    ranged.read(10)
    assert store.asked[-1] == (90_000 // 4096 * 4096, 4096)


def test_what_was_read_is_kept_within_bounds() -> None:
    store = Counting()
    ranged = RangeFile(store, len(BODY), block_bytes=1024, cached_blocks=8)
    ranged.readall()
    asked = len(store.asked)
    ranged.seek(len(BODY) - 100)
    ranged.read(50)
    assert len(store.asked) == asked
    ranged.seek(0)
    ranged.read(50)
    assert len(store.asked) == asked + 1


def test_an_object_that_ended_early_is_an_error() -> None:
    with pytest.raises(OSError, match="the object ended at byte"):
        RangeFile(lambda offset, length: b"", 10).read(5)


def test_it_has_no_name() -> None:
    assert not hasattr(open_ranges(Counting(), len(BODY)), "name")


def test_there_is_nothing_before_the_first_byte() -> None:
    with pytest.raises(OSError, match="before its first"):
        RangeFile(Counting(), len(BODY)).seek(-1)
