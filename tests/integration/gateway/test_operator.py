"""What the operator reads: the queue, how the pipeline did, and what lies where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipAdmitted
from clipstream.common.contracts.ids import VideoId
from fixtures.inbox import Inbox
from integration.gateway.conftest import Friends
from integration.gateway.world import FILE, World, eventually


async def _at_transcode(world: World, friends: Friends) -> VideoId:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.dedupe()
    await world.project(*told.told)
    return video_id


def _of(answer: Any, stage: str) -> Any:
    return next(row for row in answer["stages"] if row["stage"] == stage)


async def test_an_empty_queue_says_so(world: World, friends: Friends) -> None:
    answer = (await friends.site_admin.get("/processing/queue")).json
    assert (answer["queue_length"], answer["current_job"], answer["estimated_wait"]) == (0, None, "none")
    assert answer["jobs"] == []


async def test_the_queue_counts_what_waits_runs_and_failed(world: World, friends: Friends) -> None:
    video_id = await _at_transcode(world, friends)
    await world.bus.consume("stt", [ClipAdmitted], Inbox[Envelope]())
    set_running = "UPDATE stages SET state = 'running', started_at = now() WHERE stage = 'transcode'"
    await world.pool.execute(set_running)
    told = (await world.story(await world.uploaded(friends.uploader, friends.stream_id), friends.stream_id)).finish(
        without=["transcode"]
    )
    await world.project(*told.told)

    answer = (await friends.site_admin.get("/processing/queue")).json
    assert (answer["queue_length"], answer["running"], answer["failed"]) == (5, 1, 1)  # two posters, one in captions
    assert answer["current_job"] == {"video_id": str(video_id), "stage": "transcode"}
    assert answer["estimated_wait_s"] > 0
    assert answer["estimated_wait"] != "none"
    transcode, stt = _of(answer, "transcode"), _of(answer, "stt")
    assert (transcode["queued"], transcode["running"], transcode["failed"]) == (0, 1, 1)
    assert (stt["queued"], stt["workers"], transcode["workers"]) == (1, 1, 0)
    assert stt["oldest_s"] >= 0
    (failed,) = (await friends.site_admin.get("/processing/queue?state=failed")).json["jobs"]
    assert (failed["stage"], failed["error"]) == ("transcode", "transcode broke")
    assert failed["since"] is not None


async def test_every_job_is_on_exactly_one_page(world: World, friends: Friends) -> None:
    """The three parallel stages of a clip begin to wait in the same moment."""
    for _ in range(3):
        await _at_transcode(world, friends)
    shown: list[tuple[str, str]] = []
    more: str | None = ""
    while more is not None:
        page = (await friends.site_admin.get(f"/processing/queue?limit=2{more}")).json
        shown += [(job["video_id"], job["stage"]) for job in page["jobs"]]
        more = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert len(shown) == len(set(shown)) == 12
    embed = (await friends.site_admin.get("/processing/queue?stage=embed")).json["jobs"]
    assert [job["stage"] for job in embed] == ["embed"] * 3


async def test_more_workers_are_done_sooner(world: World, friends: Friends) -> None:
    await _at_transcode(world, friends)
    await world.bus.consume("stt", [ClipAdmitted], Inbox[Envelope]())
    await world.bus.consume("transcode", [ClipAdmitted], Inbox[Envelope]())
    await world.bus.consume("transcode", [ClipAdmitted], Inbox[Envelope]())
    answer = (await friends.site_admin.get("/processing/queue")).json
    assert _of(answer, "transcode")["estimated_wait_s"] * 2 == _of(answer, "stt")["estimated_wait_s"]


async def test_stats_tell_throughput_latency_failures_and_retries(world: World, friends: Friends) -> None:
    await world.ready(friends.uploader, friends.stream_id)
    failing = await world.uploaded(friends.uploader, friends.stream_id)
    told = (await world.story(failing, friends.stream_id)).finish(without=["stt"])
    await world.project(*told.told)
    now = datetime.now(UTC)
    await world.pool.execute("UPDATE videos SET ready_at = $1", now)
    await world.pool.execute(
        "UPDATE stages SET queued_at = $1::timestamptz - interval '9 s', started_at = $1::timestamptz - interval '4 s', "
        "done_at = CASE WHEN done_at IS NULL THEN NULL ELSE $1 END, "
        "failed_at = CASE WHEN failed_at IS NULL THEN NULL ELSE $1 END WHERE stage IN ('transcode', 'stt')",
        now - timedelta(minutes=5),
    )
    answer = (await friends.site_admin.get("/processing/stats")).json
    assert answer["throughput"]["ready_last_hour"] == 2
    assert answer["throughput"]["uploaded_last_day"] >= 0
    assert answer["throughput"]["clip_seconds_last_day"] == 59.0
    assert _of(answer, "transcode")["latency"] == {"p50": 4.0, "p95": 4.0, "p99": 4.0}
    assert _of(answer, "transcode")["wait"] == {"p50": 5.0, "p95": 5.0, "p99": 5.0}
    assert (_of(answer, "stt")["failed"], _of(answer, "stt")["failed_last_hour"], answer["failures"]) == (1, 1, 1)
    assert _of(answer, "stt")["repeated_last_day"] == 4
    await friends.site_admin.post("/admin/processing/retry", {"video_id": str(failing)})
    answer = (await friends.site_admin.get("/processing/stats")).json
    assert (_of(answer, "stt")["retries"], _of(answer, "stt")["failed"], answer["retries"]) == (1, 0, 1)


async def test_an_empty_place_has_stats_and_storage_too(world: World, friends: Friends) -> None:
    answer = (await friends.site_admin.get("/processing/stats")).json
    assert (answer["failures"], answer["stages"][0]["latency"]) == (0, None)
    answer = (await friends.site_admin.get("/system/storage")).json
    assert (answer["video_count"], answer["streams"], answer["users"]) == (0, [], [])


async def test_storage_tells_the_disk_the_prefixes_and_who_fills_them(world: World, friends: Friends) -> None:
    async with world.running():
        video_id = await world.ready(friends.uploader, friends.stream_id)
        await world.pool.execute("UPDATE videos SET stored_bytes = 1000 WHERE id = $1", video_id)
        answer = (await friends.site_admin.get("/system/storage")).json
    assert 0 < answer["free_space"] < answer["total_space"]
    assert 0 < answer["used_space"] < answer["total_space"]
    assert (answer["video_count"], answer["original_bytes"], answer["made_bytes"]) == (1, len(FILE), 1000)
    prefixes = {row["prefix"]: row for row in answer["prefixes"]}
    assert prefixes["raw-uploads/"] == {"prefix": "raw-uploads/", "objects": 1, "size_bytes": len(FILE)}
    assert prefixes["thumbnails/"]["objects"] == 1
    assert answer["counted_s_ago"] >= 0
    (stream,), (user,) = answer["streams"], answer["users"]
    assert (stream["id"], stream["total_bytes"]) == (friends.stream_id, len(FILE) + 1000)
    assert (user["id"], user["total_bytes"]) == (str(friends.uploader.user_id), len(FILE) + 1000)


async def test_storage_does_not_wait_for_a_count_that_nobody_makes(world: World, friends: Friends) -> None:
    """The counting does not run here; the answer comes without it."""
    answer = await friends.site_admin.get("/system/storage")
    assert (answer.status, answer.json["prefixes"], answer.json["counted_s_ago"]) == (200, None, None)

    async with world.running():

        async def counted() -> bool:
            return (await friends.site_admin.get("/system/storage")).json["prefixes"] is not None

        await eventually(counted)
