"""Thumbnails: the plain picture when a video is ready; before, and for a copy, one that says so."""

from __future__ import annotations

import asyncio
import io
from uuid import uuid4

import pytest
from PIL import Image

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.gateway import overlays
from clipstream.gateway.thumbnails import AT_ONCE, Thumbnails
from corpus.stories import Story
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import Answer, World


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def friends(shared_world: World) -> Friends:
    return await make_friends(shared_world)


def poster(colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (640, 360)) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, colour).save(made, "JPEG")
    return made.getvalue()


def _colours(jpeg: bytes) -> tuple[tuple[int, int], tuple[int, ...], tuple[int, ...]]:
    """Size, and the colours near the upper left corner and in the band's left end."""
    picture = Image.open(io.BytesIO(jpeg), formats=("JPEG",)).convert("RGB")
    corner, band = picture.getpixel((8, 8)), picture.getpixel((8, picture.height - 8))
    assert isinstance(corner, tuple)
    assert isinstance(band, tuple)
    return picture.size, corner, band


async def _shown(world: World, friends: Friends, video_id: VideoId, **headers: str) -> Answer:
    answer = await friends.viewer.get(f"/files/videos/{video_id}/thumbnail", headers=headers)
    assert answer.headers["Content-Type"] in ("image/jpeg", "application/json") or answer.status == 304
    return answer


async def _transcoded(world: World, friends: Friends, picture: bytes) -> tuple[VideoId, Story]:
    """A video that plays, while other stages are still at work."""
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.transcode()
    await world.store.put(keys.thumbnail(video_id), picture, content_type="image/jpeg")
    await world.project(*told.told)
    return video_id, told


async def test_ready_is_the_plain_picture(world: World, friends: Friends) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    answer = await _shown(world, friends, video_id)
    assert (answer.status, answer.raw, answer.headers["Cache-Control"]) == (200, b"a picture", "private, no-cache")


async def test_before_there_is_a_poster_it_is_a_card(world: World, friends: Friends) -> None:
    video_id = (await world.announced(friends.uploader, friends.stream_id, title="ace"))["id"]
    answer = await _shown(world, friends, video_id)
    assert answer.raw == overlays.draw(None, "processing", "A")
    again = await _shown(world, friends, video_id, **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.raw) == (304, b"")
    await friends.uploader.ask("PUT", f"/videos/{video_id}", json={"title": "Über"})
    renamed = await _shown(world, friends, video_id, **{"If-None-Match": answer.headers["ETag"]})
    assert (renamed.status, renamed.raw) == (200, overlays.draw(None, "processing", "U"))


async def test_it_is_marked_until_it_is_ready_and_plain_at_once_then(world: World, friends: Friends) -> None:
    red = poster()
    video_id, told = await _transcoded(world, friends, red)
    marked = await _shown(world, friends, video_id)
    size, corner, band = _colours(marked.raw)
    assert size == (640, 360)
    assert corner[0] > 180
    assert max(band) < 120
    await world.project(*told.finish().told)
    assert (await friends.viewer.get(f"/videos/{video_id}")).json["status"] == "ready"
    plain = await _shown(world, friends, video_id, **{"If-None-Match": marked.headers["ETag"]})
    assert (plain.status, plain.raw) == (200, red)


async def test_it_is_drawn_once_and_again_for_another_poster(world: World, friends: Friends) -> None:
    video_id, _ = await _transcoded(world, friends, poster())
    first = await _shown(world, friends, video_id)
    (drawn,) = [info async for info in world.store.list(f"derived/thumbnails/{video_id}")]
    assert (await _shown(world, friends, video_id)).headers["ETag"] == first.headers["ETag"] == f'"{drawn.etag}"'
    assert (await world.store.head(drawn.key)).modified_at == drawn.modified_at
    await world.store.put(keys.thumbnail(video_id), poster((20, 200, 20)), content_type="image/jpeg")
    _, corner, _ = _colours((await _shown(world, friends, video_id)).raw)
    assert corner[1] > 180


async def test_pictures_that_the_preview_stage_marked_are_shown_as_they_are(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    red, green, blue = poster(), poster((20, 200, 20)), poster((20, 20, 200))
    for mark, picture in (("", red), ("processing", green), ("duplicate", blue)):
        await world.store.put(keys.thumbnail(video_id, mark), picture, content_type="image/jpeg")
    told.preview()
    await world.project(*told.told)
    assert (await _shown(world, friends, video_id)).raw == green
    original, _ = await _transcoded(world, friends, poster())
    await world.project(told.copy_of(original))
    assert (await _shown(world, friends, video_id)).raw == blue
    assert [info.key async for info in world.store.list(f"derived/thumbnails/{video_id}")] == []


async def test_a_poster_without_its_marked_copy_is_marked_here(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.preview()
    await world.store.put(keys.thumbnail(video_id), poster(), content_type="image/jpeg")
    await world.project(*told.told)
    _, corner, band = _colours((await _shown(world, friends, video_id)).raw)
    assert corner[0] > 180
    assert max(band) < 120


async def test_many_who_ask_at_once_have_it_drawn_no_oftener_than_drawings_go_on_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawings: list[bytes] = []

    def counted(picture: bytes | None, mark: overlays.Mark, letter: str) -> bytes:
        drawings.append(drawn := draw(picture, mark, letter))
        return drawn

    draw = overlays.draw
    monkeypatch.setattr(overlays, "draw", counted)
    thumbnails, video_id = Thumbnails(world.store), uuid4()
    await asyncio.gather(*(thumbnails.marked(video_id, "processing", title="ace", poster=None) for _ in range(20)))
    assert 1 <= len(drawings) <= AT_ONCE


async def test_a_duplicate_is_its_originals_picture_in_grey(world: World, friends: Friends) -> None:
    original, _ = await _transcoded(world, friends, poster())
    copy = await world.uploaded(friends.uploader, friends.stream_id)
    copied = await world.story(copy, friends.stream_id)
    copied.copy_of(original)
    await _shown(world, friends, copy)
    await world.project(*copied.told)
    answer = await _shown(world, friends, copy)
    _, corner, band = _colours(answer.raw)
    assert max(corner) - min(corner) <= 2
    assert max(band) < 60 < min(corner)
    await friends.uploader.ask("DELETE", f"/videos/{original}")
    assert (await _shown(world, friends, copy)).raw == overlays.draw(None, "duplicate", "C")


async def test_a_picture_of_another_stream_is_never_shown(world: World, friends: Friends) -> None:
    theirs = await world.stream(friends.outsider)
    original = await world.ready(friends.outsider, theirs)
    await world.store.put(keys.thumbnail(original), poster(), content_type="image/jpeg")
    copy = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(copy, friends.stream_id)
    told.copy_of(original)
    await world.project(*told.told)
    assert (await _shown(world, friends, copy)).raw == overlays.draw(None, "duplicate", "C")


@pytest.mark.parametrize("how", ["reject", "fail"])
async def test_what_failed_has_no_picture_unless_one_was_made(world: World, friends: Friends, how: str) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    assert (await _shown(world, friends, video_id)).status == 200
    told = await world.story(video_id, friends.stream_id)
    if how == "reject":
        told.reject()
    else:
        told.fail("transcode", told.dedupe())
    await world.project(*told.told)
    answer = await _shown(world, friends, video_id)
    assert (answer.status, answer.error) == (404, "Thumbnail not found")
    await world.store.put(keys.thumbnail(video_id), poster(), content_type="image/jpeg")
    assert (await _shown(world, friends, video_id)).raw == poster()


@pytest.mark.parametrize("broken", [b"", b"a picture", b"\xff\xd8\xff\xe0", poster()[:-200], b"<svg onload='x'/>"])
async def test_a_poster_that_cannot_be_used_gives_the_card(world: World, friends: Friends, broken: bytes) -> None:
    video_id, _ = await _transcoded(world, friends, broken)
    assert (await _shown(world, friends, video_id)).raw == overlays.draw(None, "processing", "C")


async def test_deleting_the_video_takes_the_drawn_pictures_too(world: World, friends: Friends) -> None:
    video_id, _ = await _transcoded(world, friends, poster())
    await _shown(world, friends, video_id)
    await friends.uploader.ask("DELETE", f"/videos/{video_id}")
    left = [info.key async for info in world.store.list("") if str(video_id) in info.key]
    assert left == []
