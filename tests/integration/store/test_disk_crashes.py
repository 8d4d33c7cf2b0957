"""Disk storage when its process is killed, its directory vanishes, or somebody else writes into it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, NotFound, Outage, Permanent
from clipstream.common.store.disk import tree
from clipstream.common.store.disk.records import Record, write_records
from clipstream.common.store.disk.store import DiskStore
from clipstream.common.store.disk.tree import ObjectTree

KEY = ObjectKey("clips/a.mp4")
TEXT = "text/plain"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DiskStore]:
    store = DiskStore(tmp_path / "storage", "clips")
    yield store
    await store.close()


async def keys(store: DiskStore) -> list[str]:
    return [info.key async for info in store.list("")]


_HALF_A_PUT = """
import asyncio, sys
from pathlib import Path
from clipstream.common.store.disk.store import DiskStore

async def body():
    for _ in range(8):
        yield bytes(1 << 20)
    print("half", flush=True)
    await asyncio.sleep(600)

asyncio.run(DiskStore(Path(sys.argv[1]), "clips").put_stream("clips/a.mp4", body(), content_type="text/plain"))
"""

_OVERWRITE = """
import asyncio, sys
from pathlib import Path
from clipstream.common.store.disk.store import DiskStore

async def main():
    store = DiskStore(Path(sys.argv[1]), "clips")
    number = 0
    while True:
        number += 1
        await store.put("clips/a.mp4", b"%d" % number, content_type="text/plain", metadata={"number": str(number)})
        print(number, flush=True)

asyncio.run(main())
"""


async def test_a_put_killed_in_the_middle_shows_nothing(store: DiskStore, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HALF_A_PUT, str(tmp_path / "storage")]
    writer = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert await writer.stdout.readline() == b"half\n"
    assert await keys(store) == []
    writer.kill()
    await writer.wait()
    assert await keys(store) == []
    with pytest.raises(NotFound):
        await store.head(KEY)
    left = list((tmp_path / "storage/incoming").iterdir())
    assert len(left) == 1
    os.utime(left[0], (0, 0))  # a day passes
    again = DiskStore(tmp_path / "storage", "clips")
    assert list((tmp_path / "storage/incoming").iterdir()) == []
    await again.close()


async def test_killed_at_any_moment_bytes_and_metadata_belong_together(store: DiskStore, tmp_path: Path) -> None:
    for kill in range(8):
        command = [sys.executable, "-c", _OVERWRITE, str(tmp_path / "storage")]
        writer = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        for _ in range(5 + 7 * kill):
            acknowledged = await writer.stdout.readline()
        writer.kill()
        while (line := await writer.stdout.readline()).endswith(b"\n"):
            acknowledged = line
        await writer.wait()
        body = (await store.get(KEY)).decode()
        assert (await store.head(KEY)).metadata == {"number": body}
        assert int(body) >= int(acknowledged)


class PowerCut(BaseException):
    """Nothing that follows in the process is done."""


@pytest.mark.parametrize("moment", ["before the record", "after the record", "after the rename"])
@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_put_cut_short_is_done_or_undone(
    store: DiskStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, overwrite: bool
) -> None:
    def cut(*_: object) -> None:
        raise PowerCut

    def record_then_cut(path: Path, draft: Path, records: list[Record]) -> None:
        write_records(path, draft, records)
        raise PowerCut

    if overwrite:
        await store.put(KEY, b"old", content_type="video/mp4", metadata={"version": "old"})
    with monkeypatch.context() as patched:
        target = "sync_directory" if moment == "after the rename" else "write_records"
        patched.setattr(tree, target, record_then_cut if moment == "after the record" else cut)
        with pytest.raises(PowerCut):
            await store.put(KEY, b"new", content_type="video/mp4", metadata={"version": "new"})
    again = DiskStore(tmp_path / "storage", "clips")
    expected = "new" if moment == "after the rename" else "old" if overwrite else None
    assert await keys(again) == ([KEY] if expected else [])
    if expected:
        assert (await again.get(KEY)).decode() == expected
        head = await again.head(KEY)
        assert (head.metadata, head.content_type) == ({"version": expected}, "video/mp4")
    await again.close()


async def test_readers_never_see_two_versions_mixed(store: DiskStore) -> None:
    sizes = [100_000, 200_000, 300_000]
    bodies = [bytes([number]) * size for number, size in enumerate(sizes)]

    async def write() -> None:
        for number in range(60):
            version = number % 3
            await store.put(KEY, bodies[version], content_type=TEXT, metadata={"version": str(version)})

    await store.put(KEY, bodies[0], content_type=TEXT, metadata={"version": "0"})
    writing = asyncio.create_task(write())
    while not writing.done():
        head = await store.head(KEY)
        assert head.size_bytes == sizes[int(head.metadata["version"])]
        body = b"".join([piece async for piece in store.stream(KEY, chunk=10_000)])
        assert body in bodies
        try:
            await store.read_range(KEY, 0, 10, etag=head.etag)
        except Conflict:
            continue
    await writing


async def test_a_lost_directory_is_an_outage_not_an_empty_store(store: DiskStore, tmp_path: Path) -> None:
    await store.put(KEY, b"x", content_type=TEXT)
    (tmp_path / "storage").rename(tmp_path / "unmounted")

    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    for call in (
        store.check(), store.head(KEY), store.get(KEY), store.read_range(KEY, 0, 1), store.delete(KEY), keys(store),
        store.put(KEY, b"y", content_type=TEXT), store.put_stream(KEY, body(), content_type=TEXT),
    ):  # fmt: skip
        with pytest.raises(Outage):
            await call
    (tmp_path / "unmounted").rename(tmp_path / "storage")
    assert await store.get(KEY) == b"x"


async def test_links_in_the_directory_lead_nowhere(store: DiskStore, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "key").write_text("secret")
    objects = tmp_path / "storage/objects"
    (objects / "link").symlink_to(secrets / "key")
    (objects / "down").symlink_to(secrets)
    with pytest.raises(NotFound):
        await store.get(ObjectKey("link"))
    for call in (
        store.get(ObjectKey("down/key")), store.delete(ObjectKey("down/key")),
        store.put(ObjectKey("down/new"), b"x", content_type=TEXT),
    ):  # fmt: skip
        with pytest.raises(Permanent):
            await call
    assert await keys(store) == []
    await store.put(ObjectKey("link"), b"ours", content_type=TEXT)
    assert (secrets / "key").read_text() == "secret"
    assert sorted(path.name for path in secrets.iterdir()) == ["key"]


async def test_a_file_that_somebody_put_there_becomes_an_object(store: DiskStore, tmp_path: Path) -> None:
    path = tmp_path / "storage/objects/restored/clip.mp4"
    path.parent.mkdir()
    path.write_bytes(b"frames")
    assert await keys(store) == ["restored/clip.mp4"]
    first = await store.head(ObjectKey("restored/clip.mp4"))
    assert (first.size_bytes, first.content_type) == (6, "video/mp4")
    path.write_bytes(b"other frames")
    assert (await store.head(ObjectKey("restored/clip.mp4"))).etag != first.etag


async def test_damaged_records_do_not_hide_an_object(store: DiskStore, tmp_path: Path) -> None:
    await store.put(KEY, b"frames", content_type="video/mp4", metadata={"stream-id": "7"})
    for damage in (b"", b"\0\0\0", b"[{}]", b"{"):
        (tmp_path / "storage/records" / KEY).write_bytes(damage)
        head = await store.head(KEY)
        assert (head.size_bytes, head.content_type) == (6, "video/mp4")


async def test_one_name_is_not_both_object_and_directory(store: DiskStore) -> None:
    await store.put(ObjectKey("a"), b"x", content_type=TEXT)
    await store.put(ObjectKey("b/c"), b"x", content_type=TEXT)
    for nested in ("a/b", "a/b/c", "b"):
        for if_absent in (False, True):
            with pytest.raises(Permanent):
                await store.put(ObjectKey(nested), b"x", content_type=TEXT, if_absent=if_absent)
    assert await keys(store) == ["a", "b/c"]


async def test_two_processes_race_and_one_wins(tmp_path: Path) -> None:
    stores = [DiskStore(tmp_path / "storage", "clips") for _ in range(4)]

    async def write(store: DiskStore, number: int) -> bool:
        try:
            await store.put(ObjectKey(f"race/{number}"), b"x", content_type=TEXT, if_absent=True)
        except Conflict:
            return False
        return True

    for number in range(25):
        assert sum(await asyncio.gather(*(write(store, number) for store in stores))) == 1
    for store in stores:
        await store.close()


async def test_one_wins_even_where_locks_do_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on some network file systems."""
    monkeypatch.setattr(ObjectTree, "lock", lambda *_: nullcontext())
    await test_two_processes_race_and_one_wins(tmp_path)


async def test_empty_directories_go_while_neighbours_come(store: DiskStore, tmp_path: Path) -> None:
    async def churn(name: str) -> None:
        for number in range(50):
            key = ObjectKey(f"deep/er/{name}-{number}")
            await store.put(key, b"x", content_type=TEXT)
            await store.delete(key)

    await asyncio.gather(*map(churn, "abcd"))
    assert list((tmp_path / "storage/objects").iterdir()) == []
    assert list((tmp_path / "storage/records").iterdir()) == []
