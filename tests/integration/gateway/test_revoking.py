"""Live streams end within seconds when their reader may no longer read, whatever is being told; and nobody opens too many."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from clipstream.common.contracts.ids import VideoId
from clipstream.gateway import readers, sse
from clipstream.gateway.routes import events
from integration.gateway.conftest import Friends
from integration.gateway.watching import progress, watching
from integration.gateway.world import World, eventually, serving

Deed = Callable[[World, Friends, VideoId], Awaitable[object]]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    assert readers.CHECK_S + sse.CLOSING_S < 5, "streams are to end within five seconds"
    monkeypatch.setattr(readers, "CHECK_S", 0.2)


@pytest.fixture
async def live(world: World) -> AsyncIterator[World]:
    async with world.running():
        yield world


@asynccontextmanager
async def talking(world: World, friends: Friends, video_id: VideoId) -> AsyncIterator[None]:
    """Progress comes all the time, so that no stream is ever silent."""

    async def talk() -> None:
        for step in itertools.count():
            await world.bus.progress(progress(video_id, friends.stream_id, step % 100 / 100))
            await asyncio.sleep(0.01)

    task = asyncio.ensure_future(talk())
    try:
        yield
    finally:
        task.cancel()


async def _is_removed(_: World, friends: Friends, __: VideoId) -> None:
    answer = await friends.admin.ask("DELETE", f"/streams/{friends.stream_id}/members/{friends.viewer.user_id}")
    assert answer.status == 204


async def _vanishes_from_the_rows(world: World, friends: Friends, _: VideoId) -> None:
    """As where another gateway removed them."""
    await world.pool.execute("DELETE FROM members WHERE user_id = $1", friends.viewer.user_id)


async def _stream_is_deleted(_: World, friends: Friends, __: VideoId) -> None:
    assert (await friends.owner.ask("DELETE", f"/streams/{friends.stream_id}")).status == 204


async def _stream_is_deleted_elsewhere(world: World, friends: Friends, _: VideoId) -> None:
    async with serving(world.gateway.services.settings) as second:
        assert (await friends.owner.ask("DELETE", f"{second.base}/streams/{friends.stream_id}")).status == 204


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        (_is_removed, "Access denied"),
        (_vanishes_from_the_rows, "Access denied"),
        (_stream_is_deleted, "Stream not found"),
        (_stream_is_deleted_elsewhere, "Stream not found"),
    ],
)
async def test_streams_end_with_access_while_events_flow(
    live: World, friends: Friends, deed: Deed, reason: str
) -> None:
    video_id = await live.uploaded(friends.uploader, friends.stream_id)
    async with (
        talking(live, friends, video_id),
        watching(friends.viewer, f"/streams/{friends.stream_id}/events") as stream,
        watching(friends.viewer, f"/videos/{video_id}/events") as one,
    ):
        await stream.until("progress")
        await one.until("progress")
        await deed(live, friends, video_id)
        assert await stream.closed() == reason
        if reason == "Access denied":
            assert await one.closed() == "Access denied"
        else:
            assert (await one.last())[0] in ("deleted", "closed")


async def test_those_who_may_read_on_do(live: World, friends: Friends) -> None:
    video_id = await live.uploaded(friends.uploader, friends.stream_id)
    async with (
        talking(live, friends, video_id),
        watching(friends.viewer, f"/streams/{friends.stream_id}/events") as removed,
        watching(friends.creator, f"/streams/{friends.stream_id}/events") as kept,
    ):
        await kept.until("progress")
        await _is_removed(live, friends, video_id)
        await removed.closed()
        await live.gateway.services.readers.check()
        await live.uploaded(friends.uploader, friends.stream_id)
        await kept.until("video")


async def test_a_revoked_key_reads_no_more_though_its_user_does(live: World, friends: Friends) -> None:
    video_id = await live.uploaded(friends.uploader, friends.stream_id)
    program = await live.key(friends.viewer, ["read"])
    async with (
        talking(live, friends, video_id),
        watching(program, f"/streams/{friends.stream_id}/events") as stream,
        watching(friends.viewer, f"/streams/{friends.stream_id}/events") as own,
    ):
        await stream.until("progress")
        await live.pool.execute("UPDATE api_keys SET revoked_at = now()")
        assert await stream.closed() == "Invalid or expired token"
        await own.until("progress")


async def _logs_out(_: World, friends: Friends) -> None:
    assert (await friends.viewer.post("/auth/logout", {})).status == 204


async def _is_robbed(world: World, friends: Friends) -> None:
    """Somebody has a copy of the refresh token, and both of them use it."""
    spent = {"refresh_token": friends.viewer.refresh_token}
    assert (await world.nobody.post("/auth/refresh", spent)).status == 200
    await world.pool.execute("UPDATE refresh_tokens SET used_at = used_at - interval '1 hour'")
    assert (await world.nobody.post("/auth/refresh", spent)).status == 401


@pytest.mark.parametrize("deed", [_logs_out, _is_robbed])
async def test_a_login_that_is_over_reads_no_more(
    live: World, friends: Friends, deed: Callable[[World, Friends], Awaitable[None]]
) -> None:
    another = (await live.nobody.post("/auth/dev", {"name": "viewer"})).json["app_token"]
    kept = replace(friends.viewer, token=another)
    address = f"/streams/{friends.stream_id}/events"
    async with watching(friends.viewer, address) as stream, watching(kept, address) as own:
        await stream.until("snapshot")
        await own.until("snapshot")
        await deed(live, friends)
        assert await stream.closed() == "Invalid or expired token"
        await live.uploaded(friends.uploader, friends.stream_id)
        await own.until("video")


async def test_a_renewed_login_reads_on(live: World, friends: Friends) -> None:
    async with watching(friends.viewer, f"/streams/{friends.stream_id}/events") as stream:
        await stream.until("snapshot")
        assert (await live.nobody.post("/auth/refresh", {"refresh_token": friends.viewer.refresh_token})).status == 200
        await live.gateway.services.readers.check()
        await live.uploaded(friends.uploader, friends.stream_id)
        await stream.until("video")


async def test_so_many_and_no_more(live: World, friends: Friends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.1)
    address = f"/streams/{friends.stream_id}/events"
    async with AsyncExitStack() as stack:
        for _ in range(readers.PER_USER):
            await stack.enter_async_context(watching(friends.viewer, address))
        program = await live.key(friends.viewer, ["read"])
        for who in (friends.viewer, program):
            refused = await who.get(address)
            assert (refused.status, refused.error) == (429, "Too many open streams")
        async with watching(friends.creator, address) as other:
            assert (await other.next())[0] == "snapshot"

    async def forgotten() -> bool:
        return not live.gateway.services.streaming

    await eventually(forgotten)
    async with watching(friends.viewer, address) as again:
        assert (await again.next())[0] == "snapshot"


async def test_a_client_that_does_not_read_is_cut_off(
    live: World, friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "CLOSING_S", 0.1)
    video_id = await live.uploaded(friends.uploader, friends.stream_id)
    _, writer = await asyncio.open_connection(live.base.host, live.base.port, limit=1024)
    request = (
        f"GET /streams/{friends.stream_id}/events HTTP/1.1\r\nHost: here\r\n"
        f"Authorization: Bearer {friends.viewer.token}\r\n\r\n"
    )
    writer.write(request.encode())

    async def opened() -> bool:
        return bool(live.gateway.services.readers._readers)

    await eventually(opened)
    (reader,) = live.gateway.services.readers._readers
    transport = reader.request.transport
    assert isinstance(transport, asyncio.Transport)
    long = progress(video_id, friends.stream_id, 0.5).model_copy(update={"note": "x" * 200_000})

    async def stuck() -> bool:
        live.gateway.services.feed.progress(long)
        return transport.get_write_buffer_size() > 100_000

    async def ended() -> bool:
        return transport.is_closing() and transport.get_write_buffer_size() == 0

    await eventually(stuck)
    await _vanishes_from_the_rows(live, friends, video_id)
    await eventually(ended)
    writer.close()


async def test_head_answers_and_ends(live: World, friends: Friends) -> None:
    answer = await friends.viewer.ask("HEAD", f"/streams/{friends.stream_id}/events")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
