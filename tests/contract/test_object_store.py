"""The object store's contract, on a directory, on a real S3 server and behind the media proxy."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, NotFound, Permanent
from clipstream.common.store import ObjectStore
from contract.stores import Opened

TEXT = "text/plain"
ODD_KEYS = [
    "a b+c%2F&=?#.txt", "ümläut/日本語/🎮.mp4", "quote'\"<>.txt", "new\nline", "semi;colon:at@", "-dash", "~tilde", ".hidden",
    "..double", "x" * 255, "/".join(["segment" * 10] * 14), "back\\slash", "C:\\file", "e\u0301 and \u00e9",
]  # fmt: skip
BAD_KEYS = [
    "", "/", "/lead", "trail/", "two//slashes", ".", "..", "../up", "a/../b", "a/./b", "nul\0", "x" * 256, "a/" * 600 + "a",
    "\ud800",
]  # fmt: skip


def key(name: str) -> ObjectKey:
    return ObjectKey(name)


async def pieces(body: bytes, size: int = 70_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def keys(store: ObjectStore, prefix: str, start_after: str = "") -> list[str]:
    return [info.key async for info in store.list(prefix, start_after=start_after)]


async def test_what_was_put_is_read_back_with_all_that_was_said_of_it(store: ObjectStore) -> None:
    put = await store.put(key("a/b.txt"), b"frames", content_type="video/mp4", metadata={"stream-id": "7"})
    head = await store.head(key("a/b.txt"))
    assert await store.get(key("a/b.txt")) == b"frames"
    assert (head.size_bytes, head.content_type, head.metadata) == (6, "video/mp4", {"stream-id": "7"})
    assert head.sha256 == put.sha256 == hashlib.sha256(b"frames").hexdigest()
    assert head.etag == put.etag
    assert '"' not in head.etag
    assert abs(head.modified_at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_the_etag_follows_the_content(store: ObjectStore) -> None:
    first = await store.put(key("a"), b"one", content_type=TEXT)
    second = await store.put(key("a"), b"two", content_type=TEXT)
    third = await store.put(key("a"), b"one", content_type=TEXT)
    assert first.etag != second.etag
    assert first.etag == third.etag


@pytest.mark.parametrize("name", ODD_KEYS)
async def test_odd_keys_are_only_names(store: ObjectStore, name: str) -> None:
    await store.put(key(name), name.encode(), content_type=TEXT)
    assert await store.get(key(name)) == name.encode()
    assert await keys(store, "") == [name]
    assert await keys(store, name[:3]) == [name]
    await store.delete(key(name))
    with pytest.raises(NotFound):
        await store.head(key(name))


@pytest.mark.parametrize("name", BAD_KEYS)
async def test_keys_that_could_lead_elsewhere_are_refused(store: ObjectStore, name: str) -> None:
    with pytest.raises(Permanent):
        await store.put(key(name), b"x", content_type=TEXT)
    with pytest.raises(Permanent):
        await store.put_stream(key(name), pieces(b"x"), content_type=TEXT)
    for read in (store.head, store.get, store.delete):
        with pytest.raises(Permanent):
            await read(key(name))
    with pytest.raises(Permanent):
        await store.read_range(key(name), 0, 1)
    assert await keys(store, "") == []


@pytest.mark.parametrize("prefix", ["/", "a//b", "../", "a/../b", "nul\0"])
async def test_prefixes_that_could_lead_elsewhere_are_refused(store: ObjectStore, prefix: str) -> None:
    await store.put(key("a"), b"x", content_type=TEXT)
    with pytest.raises(Permanent):
        await keys(store, prefix)
    with pytest.raises(Permanent):
        await store.delete_prefix(prefix)
    assert await keys(store, "") == ["a"]


async def test_what_is_not_there_is_not_found(store: ObjectStore) -> None:
    await store.put(key("a/b"), b"x", content_type=TEXT)
    for missing in (key("nothing"), key("a"), key("a/b/c")):
        with pytest.raises(NotFound):
            await store.head(missing)
        with pytest.raises(NotFound):
            await store.get(missing)
        with pytest.raises(NotFound):
            await store.read_range(missing, 0, 1)
        with pytest.raises(NotFound):
            [chunk async for chunk in store.stream(missing)]
        await store.delete(missing)
    assert await store.get(key("a/b")) == b"x"


async def test_ranges_end_where_the_object_ends(store: ObjectStore) -> None:
    await store.put(key("a"), b"0123456789", content_type=TEXT)
    assert await store.read_range(key("a"), 0, 4) == b"0123"
    assert await store.read_range(key("a"), 3, 4) == b"3456"
    assert await store.read_range(key("a"), 8, 4) == b"89"
    assert await store.read_range(key("a"), 9, 1) == b"9"
    assert await store.read_range(key("a"), 10, 4) == b""
    assert await store.read_range(key("a"), 99, 4) == b""
    assert await store.read_range(key("a"), 2, 0) == b""


async def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    await store.put(key("empty"), b"", content_type=TEXT)
    await store.put_stream(key("streamed"), pieces(b""), content_type=TEXT)
    for name in ("empty", "streamed"):
        assert (await store.head(key(name))).size_bytes == 0
        assert await store.get(key(name)) == b""
        assert await store.read_range(key(name), 0, 10) == b""
        assert [chunk async for chunk in store.stream(key(name))] == []


async def test_a_stream_can_begin_and_end_anywhere(store: ObjectStore) -> None:
    body = bytes(range(256)) * 5000
    await store.put(key("a"), body, content_type=TEXT)
    assert b"".join([chunk async for chunk in store.stream(key("a"))]) == body
    part = [chunk async for chunk in store.stream(key("a"), offset=1000, length=500_000, chunk=65536)]
    assert b"".join(part) == body[1000:501_000]
    assert max(map(len, part)) <= 65536
    assert b"".join([chunk async for chunk in store.stream(key("a"), offset=len(body) - 3)]) == body[-3:]
    assert [chunk async for chunk in store.stream(key("a"), offset=len(body))] == []


async def test_a_stream_left_early_blocks_nobody(store: ObjectStore) -> None:
    await store.put(key("a"), bytes(3 << 20), content_type=TEXT)
    for _ in range(150):  # more than the store keeps connections
        reading = store.stream(key("a"), chunk=65536)
        await anext(reading)
        await reading.aclose()  # type: ignore[attr-defined]
    assert len(await store.get(key("a"))) == 3 << 20


async def test_get_refuses_what_is_too_large(store: ObjectStore) -> None:
    await store.put(key("a"), bytes(1000), content_type=TEXT)
    assert len(await store.get(key("a"), limit=1000)) == 1000
    with pytest.raises(Permanent, match="1000 bytes"):
        await store.get(key("a"), limit=999)


async def test_a_changed_object_is_not_read_by_halves(store: ObjectStore) -> None:
    before = await store.put(key("a"), b"0123456789", content_type=TEXT)
    assert await store.read_range(key("a"), 0, 4, etag=before.etag) == b"0123"
    after = await store.put(key("a"), b"abcdefghij", content_type=TEXT)
    with pytest.raises(Conflict):
        await store.read_range(key("a"), 4, 4, etag=before.etag)
    assert await store.read_range(key("a"), 4, 4, etag=after.etag) == b"efgh"
    with pytest.raises(Conflict):
        [chunk async for chunk in store.stream(key("a"), etag=before.etag)]
    assert [chunk async for chunk in store.stream(key("a"), offset=4, etag=after.etag)] == [b"efghij"]


async def test_of_parallel_conditional_writes_exactly_one_wins(store: ObjectStore) -> None:
    async def write(number: int) -> int | None:
        try:
            await store.put(key("m/race.json"), b"%d" % number, content_type=TEXT, if_absent=True)
        except Conflict:
            return None
        return number

    winners = [number for number in await asyncio.gather(*map(write, range(20))) if number is not None]
    assert len(winners) == 1
    assert await store.get(key("m/race.json")) == b"%d" % winners[0]
    await store.delete(key("m/race.json"))
    await store.put(key("m/race.json"), b"again", content_type=TEXT, if_absent=True)


async def test_every_way_to_put_can_be_conditional(store: ObjectStore, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(17 << 20))  # in two parts
    await store.put(key("a"), b"first", content_type=TEXT)
    with pytest.raises(Conflict):
        await store.put_file(key("a"), big, content_type=TEXT, if_absent=True)
    with pytest.raises(Conflict):
        await store.put_stream(key("a"), pieces(b"second"), content_type=TEXT, if_absent=True)
    assert await store.get(key("a")) == b"first"


@pytest.mark.parametrize("size", [0, 3 << 20, 40 << 20])
async def test_an_error_of_the_body_is_raised_on_and_nothing_is_stored(store: ObjectStore, size: int) -> None:
    async def body(error: Exception) -> AsyncIterator[bytes]:
        for _ in range(size >> 20):
            yield bytes(1 << 20)
        raise error

    for error in (ConnectionResetError("the uploader went away"), ValueError("no"), Permanent("no")):
        with pytest.raises(type(error)) as raised:
            await store.put_stream(key("a"), body(error), content_type=TEXT)
        assert raised.value is error
    assert await keys(store, "") == []
    await store.put(key("a"), b"x", content_type=TEXT)
    assert await store.get(key("a")) == b"x"


async def test_metadata_holds_any_text(store: ObjectStore) -> None:
    told = {"filename": 'Ä "clip" 100% 日本 🎮\n; x=y.mp4', "empty": "", "stream-id": "a b"}
    await store.put(key("a"), b"x", content_type=TEXT, metadata=told)
    await store.put_stream(key("b"), pieces(bytes(40 << 20), 1 << 20), content_type="video/webm", metadata=told)
    assert (await store.head(key("a"))).metadata == told
    assert (await store.head(key("b"))).metadata == told
    assert (await store.head(key("b"))).content_type == "video/webm"


@pytest.mark.parametrize("bad", [{"Upper": "x"}, {"ümlaut": "x"}, {"": "x"}, {"a b": "x"}, {"long": "é" * 700}])
async def test_metadata_that_no_header_holds_is_refused(store: ObjectStore, bad: dict[str, str]) -> None:
    with pytest.raises(Permanent):
        await store.put(key("a"), b"x", content_type=TEXT, metadata=bad)
    with pytest.raises(Permanent):
        await store.put_stream(key("a"), pieces(b"x"), content_type=TEXT, metadata=bad)
    assert await keys(store, "") == []


async def test_a_list_is_in_key_order_and_starts_where_it_is_told(store: ObjectStore) -> None:
    names = [
        "p/a",
        "p/a.txt",
        "p/a0",
        "p/b/1",
        "p/b/10",
        "p/b/2",
        "p/b0",
        "p/b-x",
        "p/B",
        "p/é",
        "p/日",
        "p/🎮",
        "q/z",
        "pp",
    ]
    names.remove("p/a")
    names.append("p/a/x")  # '.' sorts before '/', which sorts before '0'
    for name in names:
        await store.put(key(name), name.encode(), content_type=TEXT)
    ordered = sorted(names, key=str.encode)
    assert await keys(store, "") == ordered
    assert await keys(store, "p/") == [name for name in ordered if name.startswith("p/")]
    assert await keys(store, "p/b") == [name for name in ordered if name.startswith("p/b")]
    for after in [*names, "p/b", "p/b/", "p/c", "p"]:
        assert await keys(store, "p", after) == [name for name in ordered if name > after and name.startswith("p")]
    assert await keys(store, "nothing/") == []
    sizes = {info.key: (info.size_bytes, info.etag) async for info in store.list("q/")}
    assert sizes == {"q/z": (3, (await store.head(key("q/z"))).etag)}


async def test_more_objects_than_fit_one_page(store: ObjectStore) -> None:
    names = [f"many/{number:05}" for number in range(1100)]
    for start in range(0, 1100, 50):
        await asyncio.gather(*(store.put(key(name), b"", content_type=TEXT) for name in names[start : start + 50]))
    assert await keys(store, "many/") == names
    assert await store.delete_prefix("many/") == 1100
    assert await keys(store, "") == []


async def test_delete_prefix_takes_what_begins_so_and_nothing_else(store: ObjectStore) -> None:
    for name in ("raw/1.mp4", "raw/1/part", "raw/12", "raw/2", "raw2/1"):
        await store.put(key(name), b"x", content_type=TEXT)
    assert await store.delete_prefix("raw/1") == 3
    assert await store.delete_prefix("raw/1") == 0
    assert await keys(store, "") == ["raw/2", "raw2/1"]
    await store.put(key("raw/1"), b"x", content_type=TEXT)  # a name that was a directory before
    assert await keys(store, "raw/") == ["raw/1", "raw/2"]


async def test_check_is_content_with_a_store_that_works(store: ObjectStore) -> None:
    await store.check()
    assert await keys(store, "") == []


async def test_a_store_says_how_full_it_is_or_that_it_cannot(opened: Opened) -> None:
    space = await opened.store.space()
    if opened.on_disk:
        assert space is not None
        assert 0 < space.free_bytes <= space.total_bytes
        assert 0 < space.used_bytes <= space.total_bytes
    else:
        assert space is None
