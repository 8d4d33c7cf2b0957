"""Retry, through the API and the in-memory bus, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from clipstream.common.contracts.events import ClipAdmitted, ClipTranscoded, Event
from clipstream.common.errors import Permanent
from clipstream.common.stage.context import StageContext
from clipstream.common.stage.isolate import isolate
from clipstream.common.stage.job import StageJobs
from clipstream.common.stage.scratch import Scratch
from clipstream.common.stage.spec import StageSpec
from clipstream.common.stage.stops import Stops
from fixtures.inbox import Inbox
from integration.gateway.conftest import Friends
from integration.gateway.works import details, ended, sent, states
from integration.gateway.world import World, eventually

Handler: TypeAlias = Callable[[ClipAdmitted, StageContext], Awaitable[Sequence[Event]]]


@pytest.fixture
async def running(world: World) -> AsyncIterator[World]:
    """A gateway that hears events and publishes what its outbox holds."""
    async with world.running():
        yield world


async def test_a_failed_stage_really_runs_again(running: World, friends: Friends, tmp_path: Path) -> None:
    """The real runner around a worker that fails for good at first: after the retry it is given the event anew, as a first
    attempt, and its answer counts."""
    world, attempts = running, Inbox[int]()
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.dedupe()
    answers: list[Event] = []

    async def work(_: ClipAdmitted, context: StageContext) -> Sequence[Event]:
        await attempts(context.attempt)
        if not answers:
            raise Permanent("The codec is unknown.")
        return answers

    async def becomes(status: str) -> None:
        async def is_it() -> bool:
            return bool((await details(friends, video_id))["status"] == status)

        await eventually(is_it)

    with _transcoding(world, tmp_path, work) as jobs:
        await world.bus.consume("transcode", [ClipAdmitted], jobs.handle)
        for envelope in told.told[1:]:
            await world.bus.publish(envelope)
        assert await attempts.next() == 1
        await becomes("failed")
        assert (await details(friends, video_id))["error"] == "The codec is unknown."

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
def _transcoding(world: World, tmp_path: Path, handler: Handler) -> Iterator[StageJobs[ClipAdmitted]]:
    spec = StageSpec(name="transcode", consumes=ClipAdmitted, emits=(ClipTranscoded,), handler=handler)
    scratch = Scratch.open(tmp_path / "scratch", "transcode")
    yield StageJobs(
        spec=spec,
        bus=world.bus,
        store=world.store,
        scratch=scratch,
        threads=ThreadPoolExecutor(1),
        caged=partial(isolate, spares=None),
        stops=Stops(),
    )
    scratch.close()


async def test_a_retry_begins_anew_and_twice_is_once(world: World, friends: Friends) -> None:
    video_id, told = await ended(world, friends, without=("transcode",))
    await world.pool.execute("UPDATE stages SET queued_at = now() - interval '9 days', sweeps = 3, progress = 0.5")
    answers = await asyncio.gather(
        *(friends.site_admin.post("/admin/processing/retry", {"video_id": str(video_id)}) for _ in range(5))
    )
    assert sorted(answer.json["retried"] for answer in answers) == [0, 0, 0, 0, 1]
    ((queue, again),) = await sent(world)
    assert (queue, again.attempt) == ("transcode", 1)
    shown = await details(friends, video_id)
    assert (shown["status"], shown["error"], shown["failed_stage"]) == ("processing", None, None)
    row = next(row for row in await world.rows("stages", video_id=video_id) if row["stage"] == "transcode")
    assert (row["state"], row["retries"], row["attempts"], row["sweeps"], row["progress"]) == ("queued", 1, 0, 0, 0)
    now = await world.pool.fetchval("SELECT now() - interval '1 minute'")
    assert row["queued_at"] > now
    assert row["lease_until"] > now

    await world.project(*told.told)  # the old failure once more, and one that was on its way
    assert told.admitted is not None
    await world.project(told.fail("transcode", told.admitted, by="sweeper"))
    assert (await details(friends, video_id))["status"] == "processing"
    told.admitted = again
    await world.project(told.transcode())
    assert (await details(friends, video_id))["status"] == "ready"


async def test_an_optional_part_of_a_ready_video_is_retried_and_the_video_stays_ready(
    world: World, friends: Friends
) -> None:
    video_id, told = await ended(world, friends, without=("stt",))
    await friends.site_admin.post("/admin/processing/retry", {"video_id": str(video_id), "stage": "stt"})
    state = await states(friends.viewer, video_id)
    assert (state["stt"], state["search_text"]) == ("queued", "queued")
    assert (await details(friends, video_id))["status"] == "ready"
    ((_, told.admitted),) = await sent(world)
    await world.project(told.index("text", told.transcribe()))
    assert [envelope.type for _, envelope in await sent(world)] == ["clip.admitted.v1"]  # not: ready once more


async def test_one_stage_of_all_videos_or_everything_is_retried(world: World, friends: Friends) -> None:
    no_video, _ = await ended(world, friends, without=("transcode", "stt"))
    no_speech, _ = await ended(world, friends, without=("stt",))
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
