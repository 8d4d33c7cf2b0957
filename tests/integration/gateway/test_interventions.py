"""Cancel and skip, through the API on a real database; and what a retry takes back."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from clipstream.common.contracts.control import StopOrder
from fixtures.inbox import Inbox
from integration.gateway.conftest import Friends
from integration.gateway.works import begun, details, sent, states
from integration.gateway.world import World, unknown


@pytest.mark.parametrize(
    ("action", "more"), [("retry", {}), ("cancel", {}), ("cancel", {"stage": "stt"}), ("skip", {"stage": "stt"})]
)
async def test_unknown_videos_are_not_found(world: World, friends: Friends, action: str, more: dict[str, str]) -> None:
    answer = await friends.site_admin.post(f"/admin/processing/{action}", {"video_id": unknown()} | more)
    assert (answer.status, answer.error) == (404, "Video not found")


async def test_a_cancelled_video_has_failed_whatever_is_stillended(world: World, friends: Friends) -> None:
    video_id, told = await begun(world, friends)
    orders = Inbox[StopOrder]()
    await world.bus.consume_stops(orders)
    for _ in range(2):
        answer = await friends.site_admin.post("/admin/processing/cancel", {"video_id": str(video_id)})
        assert (answer.status, answer.json["status"]) == (200, "failed")
        uploads = await world.rows("stages", video_id=video_id)
        chains = {UUID(json.loads(row["trigger"])["correlationid"]) for row in uploads if row["trigger"]}
        assert await orders.next() == StopOrder(video_id=video_id, chains=tuple(sorted(chains)))
    await world.project(*told.finish().told)
    shown = await details(friends, video_id)
    assert (shown["status"], shown["error"]) == ("failed", "Cancelled by an operator.")
    assert await sent(world) == []
    leases = [row["lease_until"] for row in await world.rows("stages", video_id=video_id)]
    assert set(leases) == {None}  # the sweeper leaves it alone


async def test_a_retry_takes_a_cancellation_back(world: World, friends: Friends) -> None:
    video_id, told = await begun(world, friends)
    await friends.site_admin.post("/admin/processing/cancel", {"video_id": str(video_id)})
    await world.project(told.transcode())
    everything = await friends.site_admin.post("/admin/processing/retry", {"all": True})
    assert everything.json["retried"] == 0  # what somebody ended on purpose stays ended
    answer = (await friends.site_admin.post("/admin/processing/retry", {"video_id": str(video_id)})).json
    assert {job["stage"] for job in answer["jobs"]} == {"preview", "stt", "embed"}
    again = dict(await sent(world))
    assert set(again) == {"preview", "stt", "embed"}
    old = {envelope.correlationid for envelope in told.told}
    assert not old & {
        envelope.correlationid for envelope in again.values()
    }  # the order to stop does not hold for these
    told.admitted = again["stt"]
    spoken = told.transcribe()
    told.admitted = again["embed"]
    seen = told.embed()
    await world.project(spoken, seen, told.index("text", spoken), told.index("vectors", seen))
    assert (await details(friends, video_id))["status"] == "ready"


async def test_one_stage_is_cancelled_and_the_video_does_without_it(world: World, friends: Friends) -> None:
    video_id, told = await begun(world, friends)
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
    assert (await details(friends, video_id))["status"] == "ready"


async def test_an_essential_stage_that_is_cancelled_fails_the_video(world: World, friends: Friends) -> None:
    video_id, _ = await begun(world, friends)
    body = {"video_id": str(video_id), "stage": "transcode"}
    answer = (await friends.site_admin.post("/admin/processing/cancel", body)).json
    assert (answer["status"], answer["failed_stage"]) == ("failed", "transcode")


async def test_a_skipped_part_is_not_waited_for_and_counts_when_it_comes(world: World, friends: Friends) -> None:
    video_id, told = await begun(world, friends)
    seen = told.embed()
    await world.project(told.transcode(), seen, told.index("vectors", seen))
    orders = Inbox[StopOrder]()
    await world.bus.consume_stops(orders)
    for _ in range(2):
        answer = await friends.site_admin.post("/admin/processing/skip", {"video_id": str(video_id), "stage": "stt"})
        assert (answer.status, answer.json["status"]) == (200, "ready")
        assert (await orders.next()).stage == "stt"
    assert [envelope.type for _, envelope in await sent(world)] == ["clip.ready.v1"]
    await world.project(told.transcribe())
    state = await states(friends.viewer, video_id)
    assert (state["stt"], state["search_text"]) == ("done", "queued")
    assert (await details(friends, video_id))["status"] == "ready"


async def test_a_skipped_part_can_be_wanted_after_all(world: World, friends: Friends) -> None:
    video_id, _ = await begun(world, friends)
    body = {"video_id": str(video_id), "stage": "stt"}
    await friends.site_admin.post("/admin/processing/skip", body)
    assert (await friends.site_admin.post("/admin/processing/retry", {"video_id": str(video_id)})).json["retried"] == 0
    assert (await friends.site_admin.post("/admin/processing/retry", body)).json["retried"] == 1
    assert (await states(friends.viewer, video_id))["stt"] == "queued"
    assert [queue for queue, _ in await sent(world)] == ["stt"]
