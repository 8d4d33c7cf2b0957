"""Who said this, at which second: on a real PostgreSQL, and only in the streams that are named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from pydantic import PostgresDsn

from clipstream.common.db import migrations, pool
from clipstream.common.settings import DatabaseSettings
from clipstream.search.processor import SpokenRow
from clipstream.search.query import runs
from clipstream.search.repository import MIGRATIONS, SCHEMA, Repository
from fixtures.postgres import Databases

OURS, THEIRS = uuid4(), uuid4()
EVERYTHING = 100


@pytest.fixture
async def repository(databases: Databases) -> AsyncIterator[Repository]:
    url = await asyncio.to_thread(
        databases.create_like, SCHEMA, lambda fresh: migrations.migrate(fresh, MIGRATIONS, schema=SCHEMA)
    )
    connected = await pool.connect(DatabaseSettings(database_url=PostgresDsn(url)), schema=SCHEMA)
    yield Repository(connected)
    await connected.close()
    await asyncio.to_thread(databases.drop, url)


async def speak(repository: Repository, *phrases: str, stream: UUID = OURS, video_id: UUID | None = None) -> UUID:
    """Index phrases spoken at 0, 10, 20, … seconds."""
    video_id = video_id or uuid4()
    rows = [SpokenRow(i, 1, 10.0 * i, 10.0 * i + 2, phrase) for i, phrase in enumerate(phrases)]
    assert await repository.replace_text(video_id, stream, rows)
    return video_id


async def find(repository: Repository, query: str, *streams: UUID) -> list[tuple[UUID, float]]:
    hits, _ = await repository.spoken(query, streams or [OURS], limit=EVERYTHING, offset=0)
    return [(hit.video_id, hit.start_s) for hit in hits]


async def test_a_phrase_is_found_at_its_second(repository: Repository) -> None:
    video = await speak(repository, "enemy on the left", "push the bridge", "behind you")
    assert await find(repository, "push bridge") == [(video, 10.0)]


@pytest.mark.parametrize("query", ["flanking", "flank", "FLANKED", '"they flanked us"', "flank or nothing"])
async def test_words_are_found_in_other_forms(repository: Repository, query: str) -> None:
    video = await speak(repository, "they flanked us")
    assert await find(repository, query) == [(video, 0.0)]


async def test_short_words_of_a_call_out_count(repository: Repository) -> None:
    video = await speak(repository, "get to b", "go to a")
    assert await find(repository, "to b") == [(video, 0.0)]


async def test_a_video_is_listed_once_and_pages_are_stable(repository: Repository) -> None:
    videos = {await speak(repository, "reload", "reload now") for _ in range(5)}
    pages = [await repository.spoken("reload", [OURS], limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    listed = [hit.video_id for hits, _ in pages for hit in hits]
    assert len(listed) == 5
    assert set(listed) == videos
    assert {total for _, total in pages} == {5}


async def test_found_words_are_marked(repository: Repository) -> None:
    await speak(repository, "push the bridge now")
    (hit,), _ = await repository.spoken("bridge", [OURS], limit=1, offset=0)
    assert runs(hit.marked) == ["push the ", "bridge", " now"]


async def test_other_streams_are_never_looked_at(repository: Repository) -> None:
    await speak(repository, "secret tactic", stream=THEIRS)
    assert await find(repository, "secret tactic") == []
    assert await repository.spoken("secret tactic", [OURS], limit=10, offset=0) == ([], 0)
    assert await repository.spoken("secret tactic", [], limit=10, offset=0) == ([], 0)


@pytest.mark.parametrize(
    "query",
    ["'", "a & | !", "((", "<-> :*", "😀", "مرحبا", "'; DROP TABLE segments; --", "\\", "a" * 10_000, "-", "or"],
)
async def test_anything_typed_is_a_query(repository: Repository, query: str) -> None:
    await speak(repository, "push left")
    assert await find(repository, query) == []


async def test_indexing_again_replaces(repository: Repository) -> None:
    video = await speak(repository, "first words", "more words")
    await speak(repository, "other text", video_id=video)
    assert await find(repository, "words") == []
    assert await find(repository, "other") == [(video, 0.0)]


async def test_a_deleted_video_leaves_no_trace_and_does_not_come_back(repository: Repository) -> None:
    video = await speak(repository, "push left")
    await repository.mark_vectors(video, OURS, "frames_x_1", 3)
    assert await repository.forget(video) == ["frames_x_1"]
    assert await repository.forget(video) == []
    assert await find(repository, "push") == []
    assert not await repository.replace_text(video, OURS, [SpokenRow(0, 1, 0, 1, "push left")])
    assert not await repository.mark_vectors(video, OURS, "frames_x_1", 3)
    assert await find(repository, "push") == []


async def test_what_is_shown_already_from_the_beginning_is_left_out(repository: Repository) -> None:
    opening, later, both = [
        await speak(repository, *phrases) for phrases in (("reload",), ("no", "reload"), ("reload", "reload reload"))
    ]
    hits, total = await repository.spoken(
        "reload", [OURS], limit=EVERYTHING, offset=0, openings_of=[opening, later, both]
    )
    assert {hit.video_id for hit in hits} == {later, both}
    assert total == 2
    assert await repository.spoken("reload", [OURS], limit=0, offset=0, openings_of=[opening]) == ([], 2)
    assert (await repository.spoken("reload", [OURS], limit=1, offset=0))[1] == 3


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("br", {"push the bridge", "bring it"}),
        ("push the br", {"push the bridge"}),
        ("the push", {"push the bridge"}),
        ("ridge", set()),
        ("bridge -pu", {"push the bridge"}),
        ("", set()),
        ("' | !", set()),
        ("bridge'", {"push the bridge"}),
    ],
)
async def test_segments_that_go_on_as_somebody_types(repository: Repository, words: str, found: set[str]) -> None:
    await speak(repository, "push the bridge", "bring it")
    await speak(repository, "bridge of theirs", stream=THEIRS)
    assert set(await repository.begun(words, [OURS], limit=EVERYTHING)) == found
    assert len(await repository.begun("b", [OURS], limit=1)) == 1
