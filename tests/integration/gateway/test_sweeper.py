"""Nothing waits for ever: every way a clip can get stuck, and how it ends."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from clipstream.common.bus.port import DeadLetter
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Outage
from integration.gateway.conftest import Friends
from integration.gateway.world import FILE, World


@pytest.fixture
async def listening(world: World) -> World:
    """A gateway that has listened for long enough to judge silence."""
    world.gateway.progress._listening_since = time.monotonic() - 3600
    return world


async def _at_transcode(world: World, friends: Friends) -> VideoId:
    """A clip whose three parallel stages wait for their workers."""
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.dedupe()
    await world.project(*told.told)
    await world.pool.execute("DELETE FROM outbox")
    return video_id


async def _stage(world: World, video_id: VideoId, stage: str = "transcode") -> dict[str, Any]:
    return next(dict(row) for row in await world.rows("stages", video_id=video_id) if row["stage"] == stage)


async def _silence(world: World, video_id: VideoId, stage: str = "transcode", **change: Any) -> None:
    """As if nothing had been heard for longer than allowed."""
    sets = ", ".join(f"{name} = ${index}" for index, name in enumerate(change, start=3))
    where = "WHERE video_id = $1 AND stage = $2"
    silent = f"lease_until = now() - interval '1 second'{', ' + sets if sets else ''}"
    await world.pool.execute(f"UPDATE stages SET {silent} {where}", video_id, stage, *change.values())  # noqa: S608


async def _sent(world: World) -> list[tuple[str | None, Envelope]]:
    return [(row["queue"], Envelope.from_bytes(row["body"].encode())) for row in await world.rows("outbox")]


async def test_a_silent_running_stage_gets_its_event_again_and_pays_an_attempt(
    listening: World, friends: Friends
) -> None:
    video_id = await _at_transcode(listening, friends)
    await _silence(listening, video_id, state="running", attempts=1)
    await listening.gateway.sweeper.sweep()
    ((queue, envelope),) = await _sent(listening)
    assert (queue, envelope.type, envelope.attempt) == ("transcode", "clip.admitted.v1", 2)
    row = await _stage(listening, video_id)
    assert (row["state"], row["attempts"]) == ("queued", 2)
    assert row["lease_until"] > await listening.pool.fetchval("SELECT now()")


async def test_a_silent_queued_stage_gets_its_event_again_for_free(listening: World, friends: Friends) -> None:
    video_id = await _at_transcode(listening, friends)
    await _silence(listening, video_id, "stt", attempts=1)
    await listening.gateway.sweeper.sweep()
    ((queue, envelope),) = await _sent(listening)
    assert (queue, envelope.attempt) == ("stt", 1)


async def test_asking_again_and_again_takes_longer_each_time(listening: World, friends: Friends) -> None:
    video_id = await _at_transcode(listening, friends)
    waits = []
    for _ in range(4):
        await _silence(listening, video_id)
        await listening.gateway.sweeper.sweep()
        row = await _stage(listening, video_id)
        waits.append(round((row["lease_until"] - await listening.pool.fetchval("SELECT now()")) / timedelta(minutes=1)))
    assert waits == [10, 20, 40, 80]


async def test_a_stage_that_is_heard_of_is_left_alone(listening: World, friends: Friends) -> None:
    await _at_transcode(listening, friends)
    await listening.gateway.sweeper.sweep()
    assert await _sent(listening) == []


async def test_a_gateway_that_has_just_started_judges_nobody(world: World, friends: Friends) -> None:
    """Its own silence is the reason that it heard nothing."""
    video_id = await _at_transcode(world, friends)
    await _silence(world, video_id, state="running")
    await world.gateway.progress.listen(world.bus)
    await world.gateway.sweeper.sweep()
    assert await _sent(world) == []


async def test_the_last_attempt_ends_in_words(listening: World, friends: Friends) -> None:
    video_id = await _at_transcode(listening, friends)
    for _ in range(2):  # sweeping again before the failure has come back says the same once more
        await _silence(listening, video_id, state="running", attempts=5)
        await listening.gateway.sweeper.sweep()
    ((queue, envelope),) = await _sent(listening)
    assert (queue, envelope.type) == (None, "clip.failed.v1")
    await listening.project(envelope)
    details = (await friends.viewer.get(f"/videos/{video_id}")).json
    assert (details["status"], details["failed_stage"]) == ("failed", "transcode")
    assert "given up after 5 attempts" in details["error"]


async def test_the_reason_of_the_last_retry_is_what_the_user_reads(listening: World, friends: Friends) -> None:
    video_id = await _at_transcode(listening, friends)
    await _silence(listening, video_id, state="running", attempts=5, error="The disk is full.")
    await listening.gateway.sweeper.sweep()
    ((_, envelope),) = await _sent(listening)
    await listening.project(envelope)
    assert (await friends.viewer.get(f"/videos/{video_id}")).json["error"] == "The disk is full."


async def test_what_no_worker_ever_takes_ends_too(listening: World, friends: Friends) -> None:
    video_id = await _at_transcode(listening, friends)
    await _silence(listening, video_id)
    await listening.pool.execute("UPDATE stages SET queued_at = now() - interval '3 days' WHERE stage = 'transcode'")
    await listening.gateway.sweeper.sweep()
    ((_, envelope),) = await _sent(listening)
    assert envelope.type == "clip.failed.v1"


async def test_an_event_that_can_no_longer_be_read_ends_in_words(listening: World, friends: Friends) -> None:
    video_id = await _at_transcode(listening, friends)
    await _silence(listening, video_id, trigger='{"type": "clip.forgotten.v9"}')
    await listening.gateway.sweeper.sweep()
    ((_, envelope),) = await _sent(listening)
    assert envelope.type == "clip.failed.v1"


async def test_an_upload_that_nobody_announced_is_found(world: World, friends: Friends) -> None:
    made = await world.announced(friends.uploader, friends.stream_id)
    await world.send(made["upload"])
    await world.gateway.sweeper.sweep()
    assert await _sent(world) == [], "not before the client had its chance"
    await world.pool.execute("UPDATE videos SET look_at = now()")
    await world.gateway.sweeper.sweep()
    ((_, envelope),) = await _sent(world)
    assert envelope.type == "upload.completed.v1"
    late = await friends.uploader.post(f"/videos/{made['id']}/complete")
    assert late.json["status"] == "processing"
    assert len(await _sent(world)) == 1


async def test_an_upload_that_never_came_is_rejected_in_words(world: World, friends: Friends) -> None:
    made = await world.announced(friends.uploader, friends.stream_id)
    await world.pool.execute("UPDATE videos SET look_at = now()")
    await world.gateway.sweeper.sweep()
    assert (await friends.viewer.get(f"/videos/{made['id']}")).json["status"] == "uploading"
    await world.pool.execute("UPDATE videos SET look_at = now(), seen_at = now() - interval '25 hours'")
    await world.gateway.sweeper.sweep()
    details = (await friends.viewer.get(f"/videos/{made['id']}")).json
    assert (details["status"], details["error"]) == ("rejected", "The upload never arrived. Upload the clip again.")


async def test_a_store_that_is_away_holds_up_nothing_else(
    listening: World, friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_id = await _at_transcode(listening, friends)
    await listening.announced(friends.uploader, friends.stream_id)
    await _silence(listening, video_id)
    await listening.pool.execute("UPDATE videos SET look_at = now()")

    async def away(_: object) -> None:
        raise Outage("The store does not answer.")

    monkeypatch.setattr(listening.store, "head", away)
    monkeypatch.setattr(listening.store, "delete_prefix", away)
    await listening.gateway.sweeper.sweep()
    assert [queue for queue, _ in await _sent(listening)] == ["transcode"]


async def test_deleting_while_the_store_is_away_deletes_later(
    world: World, friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)

    async def away(_: object) -> None:
        raise Outage("The store does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(world.store, "delete_prefix", away)
        assert (await friends.uploader.ask("DELETE", f"/videos/{video_id}")).status == 204
        await world.gateway.sweeper.sweep()
    assert [info.key async for info in world.store.list("")] != []
    await world.gateway.sweeper.sweep()
    assert [info.key async for info in world.store.list("")] == []


async def test_what_a_late_worker_writes_is_removed_once_more(world: World, friends: Friends) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    await friends.uploader.ask("DELETE", f"/videos/{video_id}")
    await world.store.put(ObjectKey(f"embeddings/{video_id}.json"), FILE, content_type="application/json")
    await world.pool.execute("UPDATE tombstones SET deleted_at = now() - interval '2 hours', purge_at = now()")
    await world.gateway.sweeper.sweep()
    assert [info.key async for info in world.store.list("")] == []
    (tombstone,) = await world.rows("tombstones")
    assert tombstone["purge_at"] is None


async def test_two_sweepers_at_once_send_once(listening: World, friends: Friends) -> None:
    video_id = await _at_transcode(listening, friends)
    await _silence(listening, video_id, state="running")
    await asyncio.gather(*(listening.gateway.sweeper.sweep() for _ in range(5)))
    assert len(await _sent(listening)) == 1


def _letter(envelope: Envelope | None, **more: Any) -> DeadLetter:
    body = b"\x00\xffnot an envelope" if envelope is None else envelope.to_bytes()
    given = {"queue": "transcode", "reason": "delivery_limit", "error": "", "envelope": envelope, "body": body}
    return DeadLetter(**{**given, "headers": {"x-death": "a\x00b"}, **more})


async def test_a_crashing_worker_ends_as_failed_and_the_letter_is_kept(world: World, friends: Friends) -> None:
    video_id = await _at_transcode(world, friends)
    trigger = Envelope.model_validate(json.loads((await _stage(world, video_id))["trigger"]))
    for _ in range(2):  # the same letter twice is one letter and one failure
        await world.gateway.dead_letters.handle(_letter(trigger))
    (kept,) = await world.rows("dead_letters")
    assert (kept["queue"], kept["reason"], kept["video_id"]) == ("transcode", "delivery_limit", video_id)
    ((_, failed),) = await _sent(world)
    await world.project(failed)
    details = (await friends.viewer.get(f"/videos/{video_id}")).json
    assert details["error"] == "The transcode worker crashed every time it worked on this clip."
    await world.gateway.dead_letters.handle(_letter(trigger, queue="search.deleted"))
    assert (await friends.uploader.ask("DELETE", f"/videos/{video_id}")).status == 204
    assert [letter["queue"] for letter in await world.rows("dead_letters")] == ["search.deleted"]


async def test_what_died_in_a_worker_keeps_its_own_words(world: World, friends: Friends) -> None:
    video_id = await _at_transcode(world, friends)
    trigger = Envelope.model_validate(json.loads((await _stage(world, video_id))["trigger"]))
    await world.gateway.dead_letters.handle(_letter(trigger, reason="permanent", error="The codec is unknown."))
    ((_, failed),) = await _sent(world)
    assert failed.data.error == "The codec is unknown."  # type: ignore[attr-defined]


@pytest.mark.parametrize("queue", ["transcode", "gateway.projector", "search.deleted", "unknown"])
async def test_a_letter_nobody_can_read_is_kept(world: World, queue: str) -> None:
    await world.gateway.dead_letters.handle(_letter(None, queue=queue, reason="malformed", error="x"))
    (kept,) = await world.rows("dead_letters")
    assert bytes(kept["body"]) == b"\x00\xffnot an envelope"
    assert await _sent(world) == []


async def test_a_letter_of_another_queue_fails_no_stage(world: World, friends: Friends) -> None:
    video_id = await _at_transcode(world, friends)
    trigger = Envelope.model_validate(json.loads((await _stage(world, video_id))["trigger"]))
    await world.gateway.dead_letters.handle(_letter(trigger, queue="gateway.projector"))
    assert await _sent(world) == []
    assert UUID(str(video_id))
