"""Clips of the version before, in every state, after this one's tables were made of theirs."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.ids import StreamId, VideoId
from clipstream.common.db.migrations import migrate
from clipstream.common.db.pool import connect
from clipstream.gateway.app import MIGRATIONS, SCHEMA
from corpus.stories import Story
from fixtures.postgres import Databases
from integration.gateway.works import sent
from integration.gateway.world import Somebody, World, serving, settings

BEFORE = ("0001_read_model.sql", "0002_whole_api.sql", "0003_video_text.sql")
STAGES = ("ingest", "dedupe", "transcode", "stt", "embed", "search_text", "search_vectors")
STREAM, OWNER = StreamId(uuid4()), uuid4()
STATES: Mapping[str, Mapping[str, str]] = {
    "uploading": {},
    "ingesting": {"ingest": "running"},
    "waiting for its worker": {"ingest": "done", "dedupe": "done", "transcode": "queued", "stt": "running"},
    "transcoded": {"ingest": "done", "dedupe": "done", "transcode": "done", "stt": "queued"},
    "ready": dict.fromkeys(STAGES, "done"),
    "failed": {"ingest": "done", "dedupe": "done", "transcode": "failed", "stt": "done"},
    "duplicate": {"ingest": "done", "dedupe": "done", "transcode": "skipped", "stt": "skipped"},
}
STATUS = {"uploading": "uploading", "ready": "ready", "failed": "failed", "duplicate": "duplicate"}


@pytest.fixture
def old_database(databases: Databases, tmp_path: Path) -> Iterator[str]:
    for name in BEFORE:
        (tmp_path / "before").mkdir(exist_ok=True)
        shutil.copy(MIGRATIONS / name, tmp_path / "before" / name)
    url = databases.create()
    migrate(url, tmp_path / "before", schema=SCHEMA)
    yield url
    databases.drop(url)


@pytest.fixture
async def upgraded(old_database: str, tmp_path: Path) -> AsyncIterator[tuple[World, dict[str, VideoId]]]:
    """A gateway of this version over clips that the one before left."""
    chosen = settings(old_database, tmp_path / "store")
    pool = await connect(chosen, schema=SCHEMA)
    clips = {name: await _old_clip(pool, name) for name in STATES}
    await pool.close()
    migrate(old_database, MIGRATIONS, schema=SCHEMA)
    async with serving(chosen) as world:
        world.gateway.progress._listening_since = time.monotonic() - 3600
        yield world, clips


async def _old_clip(pool: asyncpg.Pool, name: str) -> VideoId:
    video_id, states = VideoId(uuid4()), STATES[name]
    told = Story(video_id, STREAM)
    ingested, unique = told.ingest(), told.dedupe()
    spoken = told.transcribe()
    await pool.execute(
        "INSERT INTO users (id, issuer, subject, name) VALUES ($1, 'local', 'old', 'Old') ON CONFLICT DO NOTHING", OWNER
    )
    await pool.execute(
        "INSERT INTO streams (id, name, owner_id) VALUES ($1, 'Old', $2) ON CONFLICT DO NOTHING", STREAM, OWNER
    )
    done, spoke = states.get("transcode") == "done", states.get("stt") == "done"
    await pool.execute(
        "INSERT INTO videos (id, stream_id, uploader_id, title, filename, content_type, key, size_bytes, status, uploaded_at, "
        "playback, transcript, duplicate) VALUES ($1, $2, $3, 'Old', 'o.mp4', 'video/mp4', 'k', 5, $4, now(), $5, $6, $7)",
        video_id,
        STREAM,
        OWNER,
        STATUS.get(name, "processing"),
        told.transcode().data.model_dump_json() if done else None,
        spoken.data.model_dump_json() if spoke else None,
        json.dumps({"original_id": str(uuid4()), "kind": "identical", "similarity": 1.0})
        if name == "duplicate"
        else None,
    )
    causes: dict[str, Envelope] = {"ingest": told.upload, "dedupe": ingested, "search_text": spoken}
    causes |= dict.fromkeys(("transcode", "stt", "embed"), unique)
    for stage in STAGES:
        state = states.get(stage, "queued")
        trigger = (
            causes[stage].model_dump_json() if stage in states and stage in causes and state != "skipped" else None
        )
        await pool.execute(
            "INSERT INTO stages (video_id, stage, state, trigger, queued_at, lease_until, done_at, failed_at, waived_at) "
            "VALUES ($1, $2, $3, $4, now(), CASE WHEN $3 IN ('queued', 'running') THEN now() + interval '1 h' END, "
            "CASE WHEN $3 = 'done' THEN now() END, CASE WHEN $3 = 'failed' THEN now() END, "
            "CASE WHEN $3 = 'failed' THEN now() END)",
            video_id,
            stage,
            state,
            trigger,
        )
    return video_id


async def _operator(world: World) -> Somebody:
    return await world.person("operator", admin=True)


async def test_every_clip_has_the_new_stages_as_they_must_be(upgraded: tuple[World, dict[str, VideoId]]) -> None:
    world, clips = upgraded
    shown = {}
    for name, video_id in clips.items():
        rows = {row["stage"]: row["state"] for row in await world.rows("stages", video_id=video_id)}
        shown[name] = (rows["preview"], rows["captions"])
    assert shown == {
        "uploading": ("queued", "queued"),
        "ingesting": ("queued", "queued"),
        "waiting for its worker": ("queued", "queued"),
        "transcoded": ("skipped", "queued"),
        "ready": ("skipped", "skipped"),
        "failed": ("skipped", "skipped"),
        "duplicate": ("skipped", "skipped"),
    }


async def test_what_was_worked_on_goes_on(upgraded: tuple[World, dict[str, VideoId]]) -> None:
    world, clips = upgraded
    turns = {row["id"]: row["turn"] for row in await world.rows("videos")}
    working = {name for name, video_id in clips.items() if turns[video_id] == "works"}
    assert working == {"waiting for its worker"}
    assert set(turns.values()) == {"works", None}
    await world.gateway.sweeper.revive_stages()
    revived = [(queue, each.type, each.data.video_id) for queue, each in await sent(world)]
    assert revived == [("preview", "clip.ingested.v1", clips["waiting for its worker"])]
    await world.pool.execute(
        "UPDATE stages SET lease_until = now() WHERE stage IN ('transcode', 'stt') AND lease_until IS NOT NULL"
    )
    await world.gateway.sweeper.revive_stages()
    types = {each.type for queue, each in await sent(world) if queue in ("transcode", "stt")}
    assert types == {"clip.admitted.v1"}


async def test_what_failed_can_be_tried_again_and_ends_well(upgraded: tuple[World, dict[str, VideoId]]) -> None:
    world, clips = upgraded
    video_id = clips["failed"]
    answer = await (await _operator(world)).post("/admin/processing/retry", {"video_id": str(video_id)})
    assert (answer.status, answer.json["retried"]) == (200, 1)
    ((queue, again),) = await sent(world)
    assert (queue, again.type) == ("transcode", "clip.admitted.v1")
    told = Story(video_id, STREAM)
    told.admitted = again
    await world.project(told.transcode())
    (row,) = await world.rows("videos", id=video_id)
    assert (row["status"], row["leftover"], row["turn"]) == ("processing", "replaced", None)


async def test_a_duplicate_of_before_is_dismissed_and_waits_for_its_turn(
    upgraded: tuple[World, dict[str, VideoId]],
) -> None:
    world, clips = upgraded
    video_id = clips["duplicate"]
    answer = await (await _operator(world)).post(f"/admin/duplicates/{video_id}/dismiss")
    assert answer.status == 200
    kinds = [each.type for _, each in await sent(world)]
    assert kinds == ["clip.unique.v1", "clip.admitted.v1"]
    assert UUID(str(video_id))


async def test_an_upload_of_before_gets_everything_new(upgraded: tuple[World, dict[str, VideoId]]) -> None:
    world, clips = upgraded
    told = Story(clips["ingesting"], STREAM)
    told.preview()
    told.finish()
    spoken = next(each for each in told.told if each.type == "clip.transcribed.v1")
    told.caption(spoken)
    await world.project(*told.told)
    rows: dict[str, Any] = {
        row["stage"]: row["state"] for row in await world.rows("stages", video_id=clips["ingesting"])
    }
    assert set(rows.values()) == {"done"}
