"""Retry, cancel and skip, through the API and the in-memory bus, on a real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import pytest

from clipstream.common.contracts.control import StopOrder
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipTranscoded, ClipUnique, Event, Stage
from clipstream.common.contracts.ids import VideoId
from clipstream.common.errors import Permanent
from clipstream.common.stage.context import StageContext
from clipstream.common.stage.isolate import isolate
from clipstream.common.stage.job import StageJobs
from clipstream.common.stage.scratch import Scratch
from clipstream.common.stage.spec import StageSpec
from clipstream.common.stage.stops import Stops
from corpus.stories import Story
from fixtures.inbox import Inbox
from integration.gateway.conftest import Friends
from integration.gateway.world import Somebody, World, eventually, unknown

Handler: TypeAlias = Callable[[ClipUnique, StageContext], Awaitable[Sequence[Event]]]


@pytest.fixture
async def running(world: World) -> AsyncIterator[World]:
    """A gateway that hears events and publishes what its outbox holds."""
    async with world.running():
        yield world


async def _told(world: World, friends: Friends, *, without: tuple[Stage, ...] = ()) -> tuple[VideoId, Story]:
    """A clip whose stages have all ended; those in `without` failed."""
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = (await world.story(video_id, friends.stream_id)).finish(without=without)
    await world.project(*told.told)
    await world.pool.execute("DELETE FROM outbox")
    return video_id, told


async def _begun(world: World, friends: Friends) -> tuple[VideoId, Story]:
    """A clip whose three parallel stages wait for their workers."""
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.dedupe()
    await world.project(*told.told)
    await world.pool.execute("DELETE FROM outbox")
    return video_id, told


async def _sent(world: World) -> list[tuple[str | None, Envelope]]:
    return [(row["queue"], Envelope.from_bytes(row["body"].encode())) for row in await world.rows("outbox")]


async def _stages(who: Somebody, video_id: VideoId) -> dict[str, Any]:
    return {row["stage"]: row["state"] for row in (await who.get(f"/videos/{video_id}/processing")).json["stages"]}


async def _details(friends: Friends, video_id: VideoId) -> dict[str, Any]:
    found: dict[str, Any] = (await friends.viewer.get(f"/videos/{video_id}")).json
    return found


async def test_a_failed_stage_really_runs_again(running: World, friends: Friends, tmp_path: Path) -> None:
    """The real runner around a worker that fails for good at first: after the retry it is given the event anew, as a first
    attempt, and its answer counts."""
    world, attempts = running, Inbox[int]()
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.dedupe()
    answers: list[Event] = []

    async def work(_: ClipUnique, context: StageContext) -> Sequence[Event]:
        await attempts(context.attempt)
        if not answers:
            raise Permanent("The codec is unknown.")
        return answers

    async def becomes(status: str) -> None:
        async def is_it() -> bool:
            return bool((await _details(friends, video_id))["status"] == status)

        await eventually(is_it)

    with _transcoding(world, tmp_path, work) as jobs:
        await world.bus.consume("transcode", [ClipUnique], jobs.handle)
        for envelope in told.told[1:]:
            await world.bus.publish(envelope)
        assert await attempts.next() == 1
        await becomes("failed")
        assert (await _details(friends, video_id))["error"] == "The codec is unknown."

        answers.append(told.transcode().data)
        answer = await friends.site_admin.post("/admin/processing/retry", {"video_id": str(video_id)})
        job = {"video_id": str(video_id), "stage": "transcode"}
        assert answer.json == {"retried": 1, "jobs": [job], "more": False}
        assert await attempts.next() == 1
        spoken, seen = told.transcribe(), told.embed()
        for envelope in (spoken, seen, told.index("text", spoken), told.index("vectors", seen)):
            await world.bus.publish(envelope)
        await becomes("ready")


@contextmanager
def _transcoding(world: World, tmp_path: Path, handler: Handler) -> Iterator[StageJobs[ClipUnique]]:
    spec = StageSpec(name="transcode", consumes=ClipUnique, emits=(ClipTranscoded,), handler=handler)
    scratch = Scratch.open(tmp_path / "scratch", "transcode")
    yield StageJobs(
        spec=spec,
        bus=world.bus,
        store=world.store,
        scratch=scratch,
        threads=ThreadPoolExecutor(1),
        caged=isolate,
        stops=Stops(),
    )
    scratch.close()


async def test_a_retry_begins_anew_and_twice_is_once(world: World, friends: Friends) -> None:
    video_id, told = await _told(world, friends, without=("transcode",))
    await world.pool.execute("UPDATE stages SET queued_at = now() - interval '9 days', sweeps = 3, progress = 0.5")
    answers = await asyncio.gather(
        *(friends.site_admin.post("/admin/processing/retry", {"video_id": str(video_id)}) for _ in range(5))
    )
    assert sorted(answer.json["retried"] for answer in answers) == [0, 0, 0, 0, 1]
    ((queue, again),) = await _sent(world)
    assert (queue, again.attempt) == ("transcode", 1)
    details = await _details(friends, video_id)
    assert (details["status"], details["error"], details["failed_stage"]) == ("processing", None, None)
    row = next(row for row in await world.rows("stages", video_id=video_id) if row["stage"] == "transcode")
    assert (row["state"], row["retries"], row["attempts"], row["sweeps"], row["progress"]) == ("queued", 1, 0, 0, 0)
    now = await world.pool.fetchval("SELECT now() - interval '1 minute'")
    assert row["queued_at"] > now
    assert row["lease_until"] > now

    await world.project(*told.told)  # the old failure once more, and one that was on its way
    assert told.unique is not None
    await world.project(told.fail("transcode", told.unique, by="sweeper"))
    assert (await _details(friends, video_id))["status"] == "processing"
    told.unique = again
    await world.project(told.transcode())
    assert (await _details(friends, video_id))["status"] == "ready"


async def test_an_optional_part_of_a_ready_video_is_retried_and_the_video_stays_ready(
    world: World, friends: Friends
) -> None:
    video_id, told = await _told(world, friends, without=("stt",))
    await friends.site_admin.post("/admin/processing/retry", {"video_id": str(video_id), "stage": "stt"})
    states = await _stages(friends.viewer, video_id)
    assert (states["stt"], states["search_text"]) == ("queued", "queued")
    assert (await _details(friends, video_id))["status"] == "ready"
    ((_, told.unique),) = await _sent(world)
    await world.project(told.index("text", told.transcribe()))
    assert [envelope.type for _, envelope in await _sent(world)] == ["clip.unique.v1"]  # not: ready once more


async def test_one_stage_of_all_videos_or_everything_is_retried(world: World, friends: Friends) -> None:
    no_video, _ = await _told(world, friends, without=("transcode", "stt"))
    no_speech, _ = await _told(world, friends, without=("stt",))
    rejected = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(rejected, friends.stream_id)
    told.reject()
    await world.project(*told.told)
    stt = (await friends.site_admin.post("/admin/processing/retry", {"stage": "stt"})).json
    assert {job["video_id"] for job in stt["jobs"]} == {str(no_video), str(no_speech)}
    assert {job["stage"] for job in stt["jobs"]} == {"stt"}
    rest = (await friends.site_admin.post("/admin/processing/retry", {"all": True})).json
    assert rest["jobs"] == [{"video_id": str(no_video), "stage": "transcode"}]
    assert (await friends.site_admin.post("/admin/processing/retry", {"all": True})).json["retried"] == 0


async def test_what_is_final_is_refused_in_words(world: World, friends: Friends) -> None:
    rejected = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(rejected, friends.stream_id)
    told.reject()
    await world.project(*told.told)
    answer = await friends.site_admin.post("/admin/processing/retry", {"video_id": str(rejected)})
    assert (answer.status, answer.error) == (409, "Not possible now")
    assert "rejected, and that is final" in answer.json["details"][0]
    ready = await world.ready(friends.uploader, friends.stream_id)
    waiting = (await world.announced(friends.uploader, friends.stream_id))["id"]
    for action, video_id, more in (
        ("cancel", rejected, {}),
        ("cancel", ready, {}),
        ("cancel", waiting, {}),
        ("cancel", ready, {"stage": "stt"}),
        ("skip", ready, {"stage": "stt"}),
        ("skip", ready, {"stage": "transcode"}),
        ("skip", waiting, {"stage": "stt"}),
    ):
        answer = await friends.site_admin.post(f"/admin/processing/{action}", {"video_id": str(video_id)} | more)
        assert (answer.status, answer.error, len(answer.json["details"])) == (409, "Not possible now", 1), action


@pytest.mark.parametrize(
    "body", [{}, {"all": True, "stage": "stt"}, {"stage": "thumbnail"}, {"video_id": "x"}, {"all": "perhaps"}]
)
async def test_a_retry_that_says_nothing_sensible_is_refused(world: World, friends: Friends, body: Any) -> None:
    assert (await friends.site_admin.post("/admin/processing/retry", body)).status == 400


@pytest.mark.parametrize(
    ("action", "more"), [("retry", {}), ("cancel", {}), ("cancel", {"stage": "stt"}), ("skip", {"stage": "stt"})]
)
async def test_unknown_videos_are_not_found(world: World, friends: Friends, action: str, more: dict[str, str]) -> None:
    answer = await friends.site_admin.post(f"/admin/processing/{action}", {"video_id": unknown()} | more)
    assert (answer.status, answer.error) == (404, "Video not found")


async def test_a_cancelled_video_has_failed_whatever_is_still_told(world: World, friends: Friends) -> None:
    video_id, told = await _begun(world, friends)
    orders = Inbox[StopOrder]()
    await world.bus.consume_stops(orders)
    for _ in range(2):
        answer = await friends.site_admin.post("/admin/processing/cancel", {"video_id": str(video_id)})
        assert (answer.status, answer.json["status"]) == (200, "failed")
        uploads = await world.rows("stages", video_id=video_id)
        chains = {UUID(json.loads(row["trigger"])["correlationid"]) for row in uploads if row["trigger"]}
        assert await orders.next() == StopOrder(video_id=video_id, chains=tuple(sorted(chains)))
    await world.project(*told.finish().told)
    details = await _details(friends, video_id)
    assert (details["status"], details["error"]) == ("failed", "Cancelled by an operator.")
    assert await _sent(world) == []
    leases = [row["lease_until"] for row in await world.rows("stages", video_id=video_id)]
    assert set(leases) == {None}  # the sweeper leaves it alone


async def test_a_retry_takes_a_cancellation_back(world: World, friends: Friends) -> None:
    video_id, told = await _begun(world, friends)
    await friends.site_admin.post("/admin/processing/cancel", {"video_id": str(video_id)})
    await world.project(told.transcode())
    everything = await friends.site_admin.post("/admin/processing/retry", {"all": True})
    assert everything.json["retried"] == 0  # what somebody ended on purpose stays ended
    answer = (await friends.site_admin.post("/admin/processing/retry", {"video_id": str(video_id)})).json
    assert {job["stage"] for job in answer["jobs"]} == {"stt", "embed"}
    sent = dict(await _sent(world))
    assert set(sent) == {"stt", "embed"}
    old = {envelope.correlationid for envelope in told.told}
    assert not old & {envelope.correlationid for envelope in sent.values()}  # the order to stop does not hold for these
    told.unique = sent["stt"]
    spoken = told.transcribe()
    told.unique = sent["embed"]
    seen = told.embed()
    await world.project(spoken, seen, told.index("text", spoken), told.index("vectors", seen))
    assert (await _details(friends, video_id))["status"] == "ready"


async def test_one_stage_is_cancelled_and_the_video_does_without_it(world: World, friends: Friends) -> None:
    video_id, told = await _begun(world, friends)
    orders = Inbox[StopOrder]()
    await world.bus.consume_stops(orders)
    for _ in range(2):
        body = {"video_id": str(video_id), "stage": "stt"}
        answer = await friends.site_admin.post("/admin/processing/cancel", body)
        assert answer.status == 200
        assert (await orders.next()).stage == "stt"
    (stt,) = [row for row in answer.json["stages"] if row["stage"] == "stt"]
    assert (stt["state"], stt["error"]) == ("failed", "Cancelled by an operator.")
    seen = told.embed()
    await world.project(told.transcode(), seen, told.index("vectors", seen))
    assert (await _details(friends, video_id))["status"] == "ready"


async def test_an_essential_stage_that_is_cancelled_fails_the_video(world: World, friends: Friends) -> None:
    video_id, _ = await _begun(world, friends)
    body = {"video_id": str(video_id), "stage": "transcode"}
    answer = (await friends.site_admin.post("/admin/processing/cancel", body)).json
    assert (answer["status"], answer["failed_stage"]) == ("failed", "transcode")


async def test_a_skipped_part_is_not_waited_for_and_counts_when_it_comes(world: World, friends: Friends) -> None:
    video_id, told = await _begun(world, friends)
    seen = told.embed()
    await world.project(told.transcode(), seen, told.index("vectors", seen))
    orders = Inbox[StopOrder]()
    await world.bus.consume_stops(orders)
    for _ in range(2):
        answer = await friends.site_admin.post("/admin/processing/skip", {"video_id": str(video_id), "stage": "stt"})
        assert (answer.status, answer.json["status"]) == (200, "ready")
        assert (await orders.next()).stage == "stt"
    assert [envelope.type for _, envelope in await _sent(world)] == ["clip.ready.v1"]
    await world.project(told.transcribe())
    states = await _stages(friends.viewer, video_id)
    assert (states["stt"], states["search_text"]) == ("done", "queued")
    assert (await _details(friends, video_id))["status"] == "ready"


async def test_a_skipped_part_can_be_wanted_after_all(world: World, friends: Friends) -> None:
    video_id, _ = await _begun(world, friends)
    body = {"video_id": str(video_id), "stage": "stt"}
    await friends.site_admin.post("/admin/processing/skip", body)
    assert (await friends.site_admin.post("/admin/processing/retry", {"video_id": str(video_id)})).json["retried"] == 0
    assert (await friends.site_admin.post("/admin/processing/retry", body)).json["retried"] == 1
    assert (await _stages(friends.viewer, video_id))["stt"] == "queued"
    assert [queue for queue, _ in await _sent(world)] == ["stt"]
