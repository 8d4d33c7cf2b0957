"""Live events over HTTP: a snapshot, every change, progress between, and an end when it must be."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from clipstream.common.contracts.events import ClipProgress
from clipstream.common.contracts.ids import RunId, StreamId, VideoId
from clipstream.gateway import sse
from clipstream.gateway.routes import events
from integration.gateway.conftest import Friends
from integration.gateway.world import Somebody, World, eventually, serving, settings


class Stream:
    """Reads server-sent events."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.last_id: str | None = None

    async def next(self) -> tuple[str, Any]:
        """The next event's name and data; ("", None) for a comment, ("end", None) at the end."""
        async with asyncio.timeout(10):
            raw = b""
            async for line in self.response.content:
                if line == b"\n":
                    break
                raw += line
        if not raw:
            return "end", None
        fields = dict(line.split(": ", 1) for line in raw.decode().splitlines())
        self.last_id = fields.get("id", self.last_id)
        return (fields["event"], json.loads(fields["data"])) if "event" in fields else ("", None)

    async def until(self, name: str) -> Any:
        while (event := await self.next())[0] != name:
            assert event[0] != "end"
        return event[1]


@asynccontextmanager
async def watching(who: Somebody, path: str, **headers: str) -> AsyncIterator[Stream]:
    auth = {"Authorization": f"Bearer {who.token}"} | headers
    async with who.session.get(f"{who.base}{path}", headers=auth) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["X-Accel-Buffering"] == "no"
        yield Stream(response)


@pytest.fixture
async def live(world: World) -> AsyncIterator[World]:
    async with world.running():
        yield world


def _progress(video_id: VideoId, stream_id: str, fraction: float) -> ClipProgress:
    return ClipProgress(
        video_id=video_id,
        stream_id=StreamId(UUID(stream_id)),
        stage="transcode",
        state="running",
        fraction=fraction,
        run_id=RunId("r"),
    )


async def test_a_video_from_upload_to_ready(live: World, friends: Friends) -> None:
    video_id = await live.uploaded(friends.uploader, friends.stream_id)
    told = (await live.story(video_id, friends.stream_id)).finish()
    async with watching(friends.viewer, f"/videos/{video_id}/events") as stream:
        name, snapshot = await stream.next()
        assert (name, snapshot["status"]) == ("processing", "processing")
        await live.bus.progress(_progress(video_id, friends.stream_id, 0.5))
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
        await live.bus.progress(_progress(other, theirs, 0.5))
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
        assert await stream.next() == ("", None), "nothing happened, so only a heartbeat comes"
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


async def test_a_member_who_is_removed_hears_no_more(
    live: World, friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.1)
    async with watching(friends.viewer, f"/streams/{friends.stream_id}/events") as stream:
        await stream.next()
        await live.pool.execute("DELETE FROM members WHERE user_id = $1", friends.viewer.user_id)
        while (event := await stream.next())[0] != "end":
            assert event[0] == ""


async def test_a_stream_ends_with_its_token(gateway_database: str, tmp_path: Path) -> None:
    chosen = settings(gateway_database, tmp_path, access_token_life=timedelta(seconds=2))
    async with serving(chosen) as world:
        owner = await world.person("Ann")
        stream_id = await world.stream(owner)
        async with watching(owner, f"/streams/{stream_id}/events") as stream:
            assert (await stream.next())[0] == "snapshot"
            assert (await stream.next())[0] == "end"


async def test_open_streams_do_not_hold_up_the_shutdown(world: World, friends: Friends) -> None:
    async with watching(friends.viewer, f"/streams/{friends.stream_id}/events") as stream:
        await stream.next()
        began = time.monotonic()
        await sse.end_streams(world.gateway.services.streaming)
        assert (await stream.next())[0] == "end"
        assert time.monotonic() - began < 5
