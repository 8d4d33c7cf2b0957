"""A reader of a stream who comes back with the last id hears what happened meanwhile, and nothing is missed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from clipstream.gateway.routes import events
from integration.gateway.conftest import Friends
from integration.gateway.watching import SILENCE, watching
from integration.gateway.world import World, serving


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.2)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is told twice."""
    monkeypatch.setattr(events, "OVERLAP", timedelta(0))


@pytest.fixture
async def live(world: World) -> AsyncIterator[World]:
    async with world.running():
        yield world


def _events(friends: Friends) -> str:
    return f"/streams/{friends.stream_id}/events"


async def _last_id(friends: Friends) -> str:
    async with watching(friends.viewer, _events(friends)) as stream:
        assert (await stream.next())[0] == "snapshot"
        assert stream.last_id is not None
        return stream.last_id


@pytest.mark.usefixtures("exact")
async def test_only_news_is_told(world: World, friends: Friends) -> None:
    """What comes from the id alone; a gateway that looks for others' changes may tell a recent one again."""
    kept = await world.uploaded(friends.uploader, friends.stream_id)
    gone = await world.uploaded(friends.uploader, friends.stream_id)
    last = await _last_id(friends)
    async with watching(friends.viewer, _events(friends), **{"Last-Event-ID": last}) as stream:
        assert await stream.next() == SILENCE, "nothing happened"
    assert (await friends.uploader.ask("DELETE", f"/videos/{gone}")).status == 204
    await world.project((await world.story(kept, friends.stream_id)).ingest())
    new = await world.uploaded(friends.uploader, friends.stream_id)
    other = await world.stream(friends.outsider)
    await world.uploaded(friends.outsider, other)
    async with watching(friends.viewer, _events(friends), **{"Last-Event-ID": last}) as stream:
        told = [await stream.next() for _ in range(3)]
        assert [(name, data["id"]) for name, data in told] == [
            ("deleted", str(gone)),
            ("video", str(kept)),
            ("video", str(new)),
        ]
        assert await stream.next() == SILENCE
        assert stream.last_id is not None
        last = stream.last_id
    async with watching(friends.viewer, _events(friends), **{"Last-Event-ID": last}) as stream:
        assert await stream.next() == SILENCE, "the ids move on"


async def test_a_change_that_was_under_way_is_not_missed(world: World, friends: Friends) -> None:
    """It is dated before the id that the reader has, and was not to be seen yet when that was given. Nobody here is told
    of it: another gateway made it."""
    await world.uploaded(friends.uploader, friends.stream_id)
    await world.pool.execute("UPDATE videos SET changed_at = now() - interval '1 hour'")
    async with world.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE videos SET title = 'Late', revision = revision + 1, changed_at = now()")
        last = await _last_id(friends)
        await transaction.commit()
    async with watching(friends.viewer, _events(friends), **{"Last-Event-ID": last}) as stream:
        assert (await stream.until("video"))["title"] == "Late"


async def test_ids_only_grow(live: World, friends: Friends) -> None:
    async with watching(friends.viewer, _events(friends)) as stream:
        await stream.next()
        ids = [stream.last_id]
        for _ in range(3):
            await live.uploaded(friends.uploader, friends.stream_id)
            await stream.until("video")
            ids.append(stream.last_id)
    numbers = [int(event_id or "0") for event_id in ids]
    assert numbers == sorted(set(numbers))


async def test_after_too_much_there_is_a_snapshot(
    live: World, friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "SNAPSHOT_LIMIT", 2)
    last = await _last_id(friends)
    made = [await live.uploaded(friends.uploader, friends.stream_id) for _ in range(3)]
    async with watching(friends.viewer, _events(friends), **{"Last-Event-ID": last}) as stream:
        name, data = await stream.next()
        assert (name, [video["id"] for video in data["videos"]]) == ("snapshot", [str(made[2]), str(made[1])])


@pytest.mark.parametrize("last", ["", "x", "-1", "1e5", "9" * 16, "9" * 400, "1;DROP TABLE videos", "\u0661"])
async def test_ids_that_are_none_of_ours(live: World, friends: Friends, last: str) -> None:
    async with watching(friends.viewer, _events(friends), **{"Last-Event-ID": last}) as stream:
        assert (await stream.next())[0] == "snapshot"


async def test_what_another_gateway_deletes_is_told_here(live: World, friends: Friends) -> None:
    video_id = await live.uploaded(friends.uploader, friends.stream_id)
    other = await live.uploaded(friends.uploader, friends.stream_id)
    async with (
        serving(live.gateway.services.settings) as second,
        watching(friends.viewer, _events(friends)) as stream,
        watching(friends.viewer, f"/videos/{other}/events") as one,
    ):
        assert (await stream.next())[0] == "snapshot"
        assert (await one.next())[0] == "processing"
        for gone in (video_id, other):
            answer = await friends.uploader.ask("DELETE", f"{second.base}/videos/{gone}")
            assert answer.status == 204
        assert {(await stream.until("deleted"))["id"] for _ in range(2)} == {str(video_id), str(other)}
        assert await one.last() in (("deleted", {"id": str(other)}), ("closed", {"reason": "Video not found"}))
    assert await live.rows("videos", stream_id=UUID(friends.stream_id)) == []
