"""Live events over HTTP: a snapshot, every change, progress between, and an end when it must be."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from clipstream.gateway import sse
from clipstream.gateway.routes import events
from integration.gateway.conftest import Friends
from integration.gateway.watching import SILENCE, progress, watching
from integration.gateway.world import World, eventually, serving, settings


@pytest.fixture
async def live(world: World) -> AsyncIterator[World]:
    async with world.running():
        yield world


async def test_a_video_from_upload_to_ready(live: World, friends: Friends) -> None:
    video_id = await live.uploaded(friends.uploader, friends.stream_id)
    told = (await live.story(video_id, friends.stream_id)).finish()
    async with watching(friends.viewer, f"/videos/{video_id}/events") as stream:
        name, snapshot = await stream.next()
        assert (name, snapshot["status"]) == ("processing", "processing")
        await live.bus.progress(progress(video_id, friends.stream_id, 0.5))
        tick = await stream.until("progress")
        assert (tick["stage"], tick["fraction"]) == ("transcode", 0.5)
        for envelope in told.told:
            await live.bus.publish(envelope)
        state = await stream.until("processing")
        while state["status"] != "ready":
            state = await stream.until("processing")
        await friends.uploader.ask("DELETE", f"/videos/{video_id}")
        assert (await stream.until("deleted"))["id"] == str(video_id)
        assert (await stream.next())[0] == "end"


async def test_a_stream_of_videos(live: World, friends: Friends) -> None:
    before = await live.uploaded(friends.uploader, friends.stream_id)
    async with watching(friends.viewer, f"/streams/{friends.stream_id}/events") as stream:
        name, snapshot = await stream.next()
        assert (name, [video["id"] for video in snapshot["videos"]]) == ("snapshot", [str(before)])
        after = await live.uploaded(friends.uploader, friends.stream_id)
        assert (await stream.until("video"))["id"] == str(after)
        await friends.uploader.ask("DELETE", f"/videos/{after}")
        assert (await stream.until("deleted"))["id"] == str(after)


async def test_other_streams_are_not_heard(live: World, friends: Friends) -> None:
    theirs = await live.stream(friends.outsider)
    async with watching(friends.viewer, f"/streams/{friends.stream_id}/events") as stream:
        await stream.next()
        other = await live.uploaded(friends.outsider, theirs)
        await live.bus.progress(progress(other, theirs, 0.5))
        mine = await live.uploaded(friends.uploader, friends.stream_id)
        name, video = await stream.next()
        assert (name, video["id"]) == ("video", str(mine))


async def test_coming_back_with_the_last_id_tells_only_news(
    live: World, friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.2)
    video_id = await live.uploaded(friends.uploader, friends.stream_id)
    async with watching(friends.viewer, f"/videos/{video_id}/events") as stream:
        await stream.next()
        last = stream.last_id
    assert last is not None
    async with watching(friends.viewer, f"/videos/{video_id}/events", **{"Last-Event-ID": last}) as stream:
        assert await stream.next() == SILENCE, "nothing happened, so only a heartbeat comes"
    told = await live.story(video_id, friends.stream_id)
    await live.project(told.ingest())
    async with watching(friends.viewer, f"/videos/{video_id}/events", **{"Last-Event-ID": last}) as stream:
        assert (await stream.next())[0] == "processing"


async def test_a_change_by_another_gateway_is_seen(live: World, friends: Friends, tmp_path: Path) -> None:
    video_id = await live.uploaded(friends.uploader, friends.stream_id)
    told = await live.story(video_id, friends.stream_id)
    async with (
        serving(live.gateway.services.settings) as second,
        watching(friends.viewer, f"/videos/{video_id}/events") as stream,
    ):
        await stream.next()
        await second.project(told.ingest())
        state = await stream.until("processing")
        assert next(s for s in state["stages"] if s["stage"] == "ingest")["state"] == "done"


async def test_a_reader_who_leaves_is_forgotten(live: World, friends: Friends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.1)
    async with watching(friends.viewer, f"/streams/{friends.stream_id}/events") as stream:
        await stream.next()
        assert len(live.gateway.services.streaming) == 1

    async def forgotten() -> bool:
        return not live.gateway.services.streaming and not live.gateway.services.feed._by_stream

    await eventually(forgotten)


async def test_a_stream_ends_with_its_token(gateway_database: str, tmp_path: Path) -> None:
    chosen = settings(gateway_database, tmp_path, access_token_life=timedelta(seconds=2))
    async with serving(chosen) as world:
        owner = await world.person("Ann")
        stream_id = await world.stream(owner)
        async with watching(owner, f"/streams/{stream_id}/events") as stream:
            assert (await stream.next())[0] == "snapshot"
            assert await stream.next() == ("closed", {"reason": "Invalid or expired token"})
            assert (await stream.next())[0] == "end"


async def test_open_streams_do_not_hold_up_the_shutdown(world: World, friends: Friends) -> None:
    async with watching(friends.viewer, f"/streams/{friends.stream_id}/events") as stream:
        await stream.next()
        began = time.monotonic()
        await sse.end_streams(world.gateway.services.streaming)
        assert (await stream.next())[0] == "end"
        assert time.monotonic() - began < 5
