"""Calls that cross into a child and back: arguments, results, errors, progress, and the source object by ranges."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clipstream.common import errors
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.stage.isolate import isolate
from clipstream.common.store.objects import ObjectInfo
from corpus import hostile

KEY = ObjectKey("raw-uploads/one.mp4")


class OneObject:
    """As much of a store as a child is served from."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.etag = "first"
        self.failing: Exception | None = None

    async def head(self, key: ObjectKey) -> ObjectInfo:
        return ObjectInfo(key=key, size_bytes=len(self.body), etag="first", modified_at=datetime.now(UTC))

    async def read_range(self, key: ObjectKey, offset: int, length: int, *, etag: str | None = None) -> bytes:
        if self.failing:
            raise self.failing
        if etag is not None and etag != self.etag:
            raise errors.Conflict
        return self.body[offset : offset + length]


@pytest.fixture(scope="module")
def store() -> OneObject:
    return OneObject(random.Random(3).randbytes((9 << 20) + 4321))


async def test_the_source_is_read_by_ranges(store: OneObject, tmp_path: Path) -> None:
    jumps = [(0, 10), (len(store.body) - 7, 100), (5 << 20, 3 << 20), (len(store.body) + 5, 5), (1, 1 << 20)]
    parts = await isolate(hostile.digest, store=store, source=KEY, scratch=tmp_path, jumps=jumps)
    expected = [hashlib.sha256(store.body[at : at + length]).hexdigest() for at, length in jumps]
    assert parts == [*expected, hashlib.sha256(store.body).hexdigest()]


async def test_a_replaced_object_is_noticed(tmp_path: Path) -> None:
    store = OneObject(b"x" * 100)
    store.etag = "second"
    with pytest.raises(errors.Transient, match="replaced while it was being read"):
        await isolate(hostile.digest, store=store, source=KEY, scratch=tmp_path, jumps=[])


async def test_an_outage_of_the_store_is_no_fault_of_the_child(tmp_path: Path) -> None:
    store = OneObject(b"x" * 100)
    store.failing = errors.Outage("The store is away.")
    with pytest.raises(errors.Outage, match=r"The store is away\."):
        await isolate(hostile.digest, store=store, source=KEY, scratch=tmp_path, jumps=[])


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("rejected", errors.Rejected, "This is no clip."),
        ("permanent", errors.Permanent, "It never works."),
        ("transient", errors.Transient, "Try later."),
        ("encoder", errors.EncoderFailed, "The card is gone."),
        ("outage", errors.Transient, "Outage: The store is away, says the child."),
        ("unknown", errors.Transient, "KeyError: 'surprise'"),
    ],
)
async def test_errors_arrive_as_raised(
    how: str, kind: type[errors.ClipstreamError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(errors.ClipstreamError) as caught:
        await isolate(hostile.fail, scratch=tmp_path, how=how)
    assert type(caught.value) is kind
    assert str(caught.value) == message
    if how == "transient":
        assert isinstance(caught.value, errors.Transient)
        assert caught.value.retry_after == timedelta(seconds=7)


async def test_values_travel_by_annotation(tmp_path: Path) -> None:
    found = await isolate(hostile.produce, scratch=tmp_path, name="made")
    assert found == hostile.Found("made", [tmp_path.resolve() / "made"])
    assert found.files[0].read_text() == "made here"
    assert found.files[0].stat().st_mode & 0o077 == 0


async def test_progress_arrives_in_order_and_in_bounds(tmp_path: Path) -> None:
    told: list[float] = []
    assert await isolate(hostile.report, scratch=tmp_path, progress=told.append) == "done"
    assert told[:5] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert all(0 <= fraction <= 1 for fraction in told)


async def test_only_functions_of_modules_can_be_called(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="only module-level functions"):
        await isolate(lambda: 1, scratch=tmp_path)
    with pytest.raises(TypeError, match="unexpected keyword"):
        await isolate(hostile.leave, scratch=tmp_path, code=3)
