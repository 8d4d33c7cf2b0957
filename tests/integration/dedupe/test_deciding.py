"""Who is the original: on a real PostgreSQL, with copies at once, runs twice and originals deleted; and through the stage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import PostgresDsn

from clipstream.common.contracts.events import ClipDuplicate, ClipIngested, ClipUnique, Event
from clipstream.common.contracts.ids import StreamId, VideoId
from clipstream.common.db import migrations, pool
from clipstream.common.settings import DatabaseSettings
from clipstream.common.store.disk.store import DiskStore
from clipstream.dedupe.repository import MIGRATIONS, SCHEMA, Copy, Deleted, Repository, Unique
from clipstream.dedupe.stage import build
from corpus.gameplay import remux, render_clip
from fixtures import clips
from fixtures.context import CagedAttempt
from fixtures.postgres import Databases

STREAM = StreamId(uuid4())
Attempts = Callable[[], CagedAttempt]


@pytest.fixture
async def repository(databases: Databases) -> AsyncIterator[Repository]:
    url = await asyncio.to_thread(
        databases.create_like, SCHEMA, lambda fresh: migrations.migrate(fresh, MIGRATIONS, schema=SCHEMA)
    )
    connected = await pool.connect(DatabaseSettings(database_url=PostgresDsn(url)), schema=SCHEMA)
    yield Repository(connected)
    await connected.close()
    await asyncio.to_thread(databases.drop, url)


def video() -> VideoId:
    return VideoId(uuid4())


async def test_the_first_is_unique_and_says_so_again(repository: Repository) -> None:
    one = video()
    assert await repository.decide(STREAM, one, "c1", "p1") == Unique("c1", "p1")
    assert await repository.decide(STREAM, one, "c1", "p1") == Unique("c1", "p1")
    assert await repository.decide(STREAM, one, "c1", None) == Unique("c1", "p1")


async def test_the_same_bytes_are_identical_and_the_same_packets_remuxed(repository: Repository) -> None:
    one = video()
    await repository.decide(STREAM, one, "c1", "p1")
    assert await repository.decide(STREAM, video(), "c1", "p1") == Copy(one, "identical")
    assert await repository.decide(STREAM, video(), "c2", "p1") == Copy(one, "remuxed")
    assert await repository.decide(STREAM, video(), "c2", "p2") == Unique("c2", "p2")


async def test_without_packets_only_the_same_bytes_are_known(repository: Repository) -> None:
    one = video()
    await repository.decide(STREAM, one, "c1", "p1")
    assert await repository.decide(STREAM, video(), "c1", None) == Copy(one, "identical")
    new = video()
    assert await repository.decide(STREAM, new, "c2", None) is None
    assert await repository.decide(STREAM, new, "c2", "p1") == Copy(one, "remuxed")


async def test_another_stream_does_not_count(repository: Repository) -> None:
    await repository.decide(STREAM, video(), "c1", "p1")
    assert await repository.decide(StreamId(uuid4()), video(), "c1", "p1") == Unique("c1", "p1")


async def test_a_copy_of_a_copy_names_the_original(repository: Repository) -> None:
    one = video()
    await repository.decide(STREAM, one, "c1", "p1")
    await repository.decide(STREAM, video(), "c2", "p1")
    assert await repository.decide(STREAM, video(), "c2", "p1") == Copy(one, "remuxed")


async def test_of_many_copies_at_once_one_is_the_original(repository: Repository) -> None:
    for number in range(8):
        stream = StreamId(uuid4())
        copies = [video() for _ in range(8)]
        verdicts = await asyncio.gather(
            *(
                repository.decide(stream, each, f"c{number}{each if n % 2 else ''}", "p")
                for n, each in enumerate(copies)
            )
        )
        [winner] = [each for each, verdict in zip(copies, verdicts, strict=True) if isinstance(verdict, Unique)]
        assert {verdict.original_id for verdict in verdicts if isinstance(verdict, Copy)} == {winner}


async def test_one_video_decided_twice_at_once_is_not_its_own_copy(repository: Repository) -> None:
    one = video()
    verdicts = await asyncio.gather(*(repository.decide(STREAM, one, "c1", "p1") for _ in range(8)))
    assert set(verdicts) == {Unique("c1", "p1")}


async def test_a_deleted_original_frees_its_place(repository: Repository) -> None:
    one, copy = video(), video()
    await repository.decide(STREAM, one, "c1", "p1")
    await repository.decide(STREAM, copy, "c1", "p1")
    await repository.forget(one)
    await repository.forget(one)
    assert await repository.decide(STREAM, video(), "c1", "p1") == Unique("c1", "p1")
    assert await repository.decide(STREAM, one, "c1", "p1") == Deleted()


async def test_a_video_deleted_before_it_is_decided_takes_no_place(repository: Repository) -> None:
    one = video()
    await repository.forget(one)
    assert await repository.decide(STREAM, one, "c1", "p1") == Deleted()
    assert await repository.decide(STREAM, video(), "c1", "p1") == Unique("c1", "p1")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return render_clip(path, seed=1, duration_s=1, width=320, height=180)


async def ingested(store: DiskStore, path: Path, *, content_hash: str | None = None) -> ClipIngested:
    event = clips.clip_ingested().model_copy(update={"stream_id": STREAM, "content_hash": content_hash})
    await store.put_file(event.key, path, content_type="video/mp4")
    return event


async def answer(repository: Repository, event: ClipIngested, attempt: CagedAttempt) -> Event:
    [said] = await build(repository).handler(event, attempt)
    return said


async def test_a_remuxed_copy_ends_as_a_duplicate(
    repository: Repository, disk_store: DiskStore, attempts: Attempts, clip: Path, tmp_path: Path
) -> None:
    first = await ingested(disk_store, clip)
    unique = await answer(repository, first, attempts())
    assert isinstance(unique, ClipUnique)
    assert unique.content_hash.startswith("sha256:")
    copy = await ingested(disk_store, remux(clip, tmp_path / "copy.mkv"))
    duplicate = await answer(repository, copy, attempts())
    assert isinstance(duplicate, ClipDuplicate)
    assert (duplicate.original_id, duplicate.kind) == (first.video_id, "remuxed")
    assert await answer(repository, copy, attempts()) == duplicate
    assert await answer(repository, first, attempts()) == unique


async def test_an_identical_copy_is_not_read_where_the_store_knows_its_hash(
    repository: Repository, disk_store: DiskStore, attempts: Attempts, clip: Path
) -> None:
    first = await ingested(disk_store, clip, content_hash="sha256:known")
    looked = attempts()
    assert isinstance(await answer(repository, first, looked), ClipUnique)
    assert looked.isolated == 1
    copy = await ingested(disk_store, clip, content_hash="sha256:known")
    idle = attempts()
    duplicate = await answer(repository, copy, idle)
    assert isinstance(duplicate, ClipDuplicate)
    assert (duplicate.original_id, duplicate.kind, idle.isolated) == (first.video_id, "identical", 0)


async def test_a_deleted_video_gets_no_answer(
    repository: Repository, disk_store: DiskStore, attempts: Attempts, clip: Path
) -> None:
    event = await ingested(disk_store, clip)
    await repository.forget(event.video_id)
    assert await build(repository).handler(event, attempts()) == []
