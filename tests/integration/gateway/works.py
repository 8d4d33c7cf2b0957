"""Clips at work, for the tests of what operators do about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import Stage
from clipstream.common.contracts.ids import VideoId
from corpus.stories import Story
from integration.gateway.conftest import Friends
from integration.gateway.world import Somebody, World


async def ended(world: World, friends: Friends, *, without: Sequence[Stage] = ()) -> tuple[VideoId, Story]:
    """A clip whose stages have all ended; those in `without` failed."""
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = (await world.story(video_id, friends.stream_id)).finish(without=without)
    await world.project(*told.told)
    await world.pool.execute("DELETE FROM outbox")
    return video_id, told


async def begun(world: World, friends: Friends) -> tuple[VideoId, Story]:
    """A clip whose three parallel stages wait for their workers."""
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.dedupe()
    await world.project(*told.told)
    await world.pool.execute("DELETE FROM outbox")
    return video_id, told


async def sent(world: World) -> list[tuple[str | None, Envelope]]:
    return [(row["queue"], Envelope.from_bytes(row["body"].encode())) for row in await world.rows("outbox")]


async def states(who: Somebody, video_id: VideoId) -> dict[str, Any]:
    return {row["stage"]: row["state"] for row in (await who.get(f"/videos/{video_id}/processing")).json["stages"]}


async def details(friends: Friends, video_id: VideoId) -> dict[str, Any]:
    found: dict[str, Any] = (await friends.viewer.get(f"/videos/{video_id}")).json
    return found
