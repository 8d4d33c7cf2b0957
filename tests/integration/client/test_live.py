"""Live events over connections that end."""

from __future__ import annotations

from uuid import uuid4

import pytest

from clipstream.client import ApiError, Client, Gone, Misunderstood, Snapshot, Tick, Unreachable
from clipstream.client.models import Processing, Video
from clipstream.common.contracts.ids import VideoId
from integration.client.conftest import QUICK
from integration.client.scripted import Script, hangs_up, page, says, tells
from integration.gateway.world import World

VIDEO = uuid4()
GONE = f'event: deleted\ndata: {{"id": "{VIDEO}"}}\n\n'
TICK = (
    f'id: 41\nevent: progress\ndata: {{"id": "{VIDEO}", "stage": "stt", "state": "running", '
    '"fraction": 0.5, "attempt": 1, "note": null}\n\n'
)
CLOSED = 'event: closed\ndata: {"reason": "Invalid or expired token"}\n\n'


async def test_a_connection_that_ends_is_gone_on_with() -> None:
    script = Script(
        [tells(TICK, TICK[:30]), hangs_up, tells(": alive\n\n", CLOSED), says({"error": "x"}, 503), tells(GONE)]
    )
    async with script.client(QUICK) as client:
        events = [event async for event in client.videos.events(VIDEO)]
    assert [type(event) for event in events] == [Tick, Gone]
    assert [asked.headers.get("Last-Event-ID") for asked in script.asked] == [None, "41", "41", "41", "41"]


async def test_who_may_not_read_on_is_told() -> None:
    script = Script([tells(TICK, CLOSED), says({"error": "Access denied"}, 403)])
    async with script.client(QUICK) as client:
        with pytest.raises(ApiError, match="Access denied"):
            [event async for event in client.videos.events(VIDEO)]


async def test_a_server_that_stays_away_is_given_up() -> None:
    script = Script([tells(TICK), hangs_up])
    async with script.client(QUICK) as client:
        with pytest.raises(Unreachable):
            [event async for event in client.videos.events(VIDEO)]


async def test_what_is_no_event_is_not_believed() -> None:
    async with Script([page("<h1>Hello</h1>", 200)]).client(QUICK) as client:
        with pytest.raises(Misunderstood):
            [event async for event in client.videos.events(VIDEO)]


async def test_an_unknown_event_of_a_newer_server_is_passed_over() -> None:
    async with Script([tells("event: fireworks\ndata: {}\n\n", GONE)]).client(QUICK) as client:
        assert [type(event) async for event in client.videos.events(VIDEO)] == [Gone]


async def test_a_real_gateway_tells_a_video_to_its_end(world: World, ann: Client, friday: object) -> None:
    someone = await world.person("Ann")
    video_id = await world.uploaded(someone, str(friday))
    told = []
    async with world.running():
        async for event in ann.videos.events(video_id):
            told.append(event)
            if len(told) == 1:
                await ann.videos.delete(video_id)
    assert isinstance(told[0], Processing)
    assert isinstance(told[-1], Gone)


async def test_a_real_gateway_tells_a_stream(world: World, ann: Client, friday: object) -> None:
    someone = await world.person("Ann")
    made: list[VideoId] = []
    async with world.running():
        events = ann.streams.events(friday)  # type: ignore[arg-type]
        assert isinstance(await anext(events), Snapshot)
        made.append(await world.uploaded(someone, str(friday)))
        event = await anext(events)
        while not isinstance(event, Video):
            event = await anext(events)
        await events.aclose()
    assert event.id == made[0]
