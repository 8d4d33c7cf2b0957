"""Getting a clip in, by signed address and by form, on the disk store; the S3 store signs its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId, upload_event_id
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound
from integration.gateway.conftest import Friends
from integration.gateway.world import FILE, World, eventually


async def _outbox(world: World) -> list[dict[str, Any]]:
    return [json.loads(row["body"]) for row in await world.rows("outbox")]


async def test_announce_send_complete(world: World, friends: Friends) -> None:
    made = await world.announced(friends.uploader, friends.stream_id, filename="Ace – clutch.MP4", title="Ace")
    assert set(made) == {"id", "processing_index", "upload_url", "upload"}
    assert made["processing_index"] == 1
    assert made["upload_url"] == made["upload"]["url"]
    assert made["upload"]["key"] == f"raw-uploads/{made['id']}.mp4"
    assert (await world.send(made["upload"])).status == 200
    done = await friends.uploader.post(f"/videos/{made['id']}/complete")
    assert done.json == {"id": made["id"], "status": "processing", "processing_index": 1}

    stored = await world.store.head(ObjectKey(made["upload"]["key"]))
    assert stored.metadata == {
        "stream-id": friends.stream_id,
        "user-id": str(friends.uploader.user_id),
        "filename": "Ace – clutch.MP4",
    }
    (event,) = await _outbox(world)
    assert event["type"] == "upload.completed.v1"
    assert event["id"] == str(upload_event_id("clipstream", stored.key, stored.etag, stored.size_bytes))


async def test_completing_twice_announces_once(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    again = await friends.uploader.post(f"/videos/{video_id}/complete")
    assert (again.status, again.json["status"]) == (200, "processing")
    assert len(await _outbox(world)) == 1


async def test_completing_before_the_file_is_there(world: World, friends: Friends) -> None:
    made = await world.announced(friends.uploader, friends.stream_id)
    answer = await friends.uploader.post(f"/videos/{made['id']}/complete")
    assert (answer.status, answer.error) == (409, "Upload not complete")


async def test_completing_with_another_file_than_announced(world: World, friends: Friends) -> None:
    made = await world.announced(friends.uploader, friends.stream_id)
    await world.store.put(ObjectKey(made["upload"]["key"]), b"shorter", content_type="video/mp4")
    answer = await friends.uploader.post(f"/videos/{made['id']}/complete")
    assert (answer.status, answer.error) == (409, "Upload not complete")
    assert await _outbox(world) == []


async def test_a_fresh_address(world: World, friends: Friends) -> None:
    made = await world.announced(friends.uploader, friends.stream_id)
    fresh = await friends.uploader.post(f"/videos/{made['id']}/upload-url")
    assert set(fresh.json) == {"upload_url", "url", "method", "headers", "key", "expires_in"}
    assert (await world.send(fresh.json)).status == 200
    await friends.uploader.post(f"/videos/{made['id']}/complete")
    late = await friends.uploader.post(f"/videos/{made['id']}/upload-url")
    assert (late.status, late.error) == (409, "Upload already complete")


async def test_an_upload_is_never_overwritten(world: World, friends: Friends) -> None:
    made = await world.announced(friends.uploader, friends.stream_id)
    await world.send(made["upload"])
    again = await world.send(made["upload"], b"x" * len(FILE))
    assert (again.status, again.error) == (409, "Upload already complete")
    assert await world.store.get(ObjectKey(made["upload"]["key"])) == FILE


@pytest.mark.parametrize("body", [FILE[:-1], FILE + b"!", b""])
async def test_another_size_than_signed_is_not_stored(world: World, friends: Friends, body: bytes) -> None:
    made = await world.announced(friends.uploader, friends.stream_id)
    headers = {name: value for name, value in made["upload"]["headers"].items() if name.lower() != "content-length"}
    answer = await world.nobody.ask("PUT", made["upload"]["url"], headers=headers, data=body)
    assert (answer.status, answer.error) == (400, "Invalid video file")
    with pytest.raises(NotFound):
        await world.store.head(ObjectKey(made["upload"]["key"]))


@pytest.mark.parametrize("change", [("grant=", "grant=x"), ("signature=", "signature=x"), ("?", "?grant=&signature=&")])
async def test_an_address_that_was_changed_stores_nothing(
    world: World, friends: Friends, change: tuple[str, str]
) -> None:
    made = await world.announced(friends.uploader, friends.stream_id)
    answer = await world.send(made["upload"] | {"url": made["upload"]["url"].replace(*change, 1)})
    assert (answer.status, answer.error) == (403, "Invalid upload address")


async def test_no_address_at_all(world: World) -> None:
    answer = await world.nobody.ask("PUT", "/uploads/direct", data=b"x")
    assert (answer.status, answer.error) == (403, "Invalid upload address")


BAD: list[tuple[dict[str, Any], int, str]] = [
    ({"filename": "notes.txt"}, 400, "Invalid video file"),
    ({"filename": "clip"}, 400, "Invalid video file"),
    ({"filename": ""}, 400, "Invalid video file"),
    ({"filename": "a\x00.mp4"}, 400, "Invalid video file"),
    ({"filename": "a\r\nb.mp4"}, 400, "Invalid video file"),
    ({"filename": "a" * 300 + ".mp4"}, 400, "Invalid video file"),
    ({"filename": "🎮" * 200 + ".mp4"}, 400, "Invalid video file"),
    ({"size": 0}, 400, "Invalid video file"),
    ({"size": -1}, 400, "Invalid video file"),
    ({"size": "many"}, 400, "Invalid video file"),
    ({"size": 10**30}, 400, "Invalid video file"),
    ({"size": 5_000_001}, 413, "File too large"),
    ({"title": ""}, 400, "Invalid video file"),
    ({"title": "t" * 201}, 400, "Invalid video file"),
    ({"content_type": "text/html"}, 400, "Invalid video file"),
    ({"content_type": "video/x+xml"}, 400, "Invalid video file"),  # browsers show it as a page, with its scripts
    ({"content_type": "audio/svg+xml"}, 400, "Invalid video file"),
    ({"content_type": "video/mp4\r\nx: y"}, 400, "Invalid video file"),
    ({"sha256": "abc"}, 400, "Invalid video file"),
    ({"recorded_at": "yesterday"}, 400, "Invalid video file"),
    ({"recorded_at": "2026-01-01T00:00:00"}, 400, "Invalid video file"),
    ({"recorded_at": "0001-01-01T00:00:00+14:00"}, 400, "Invalid video file"),
    ({"status": "ready"}, 400, "Invalid video file"),
    ({"stream_id": "x", "id": "x", "owner_id": "x"}, 400, "Invalid video file"),
]


@pytest.mark.parametrize(("change", "status", "error"), BAD)
async def test_what_cannot_be_a_video_is_refused_in_words(
    world: World, friends: Friends, change: dict[str, Any], status: int, error: str
) -> None:
    body = {"filename": "clip.mp4", "size": 10} | change
    answer = await friends.uploader.post(f"/streams/{friends.stream_id}/videos", body)
    assert (answer.status, answer.error) == (status, error)
    assert answer.json.get("details") or answer.json["max_size"] == "5MB"
    assert await world.rows("videos") == []


Field = tuple[str, Any, dict[str, Any]]


def _form(*fields: Field) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value, more in fields:
        form.add_field(name, value, **more)
    return form


MP4 = {"filename": "clip.mp4", "content_type": "video/mp4"}


@pytest.mark.parametrize("title_first", [True, False])
async def test_a_form_is_stored_and_announced_at_once(world: World, friends: Friends, title_first: bool) -> None:
    title: Field = ("title", "By form", {})
    file: Field = ("file", FILE * 50_000, MP4)
    answer = await friends.uploader.ask(
        "POST",
        f"/streams/{friends.stream_id}/videos",
        data=_form(*((title, file) if title_first else (file, title))),
    )
    assert answer.status == 201, answer.raw
    assert set(answer.json) >= {"id", "processing_index"}
    assert answer.json["upload_url"] is None
    video_id = VideoId(UUID(answer.json["id"]))
    assert await world.store.get(keys.original(video_id, ".mp4")) == FILE * 50_000
    details = (await friends.uploader.get(f"/videos/{video_id}")).json
    assert (details["title"], details["size"], details["status"]) == ("By form", len(FILE) * 50_000, "processing")
    assert [event["type"] for event in await _outbox(world)] == ["upload.completed.v1"]


FORMS: list[tuple[list[Field], int, str]] = [
    ([("title", "no file", {})], 400, "Invalid video file"),
    ([("file", FILE, {"filename": "notes.txt"})], 400, "Invalid video file"),
    ([("file", FILE, {"filename": ""})], 400, "Invalid video file"),
    ([("file", b"", MP4)], 400, "Invalid video file"),
    ([("file", FILE, MP4), ("file", FILE, MP4)], 400, "Invalid video file"),
    ([("role", "admin", {}), ("file", FILE, MP4)], 400, "Invalid video file"),
    ([("file", FILE, MP4), ("title", "t" * 201, {})], 400, "Invalid video file"),
    ([("title", "t" * 5000, {}), ("file", FILE, MP4)], 413, "File too large"),
    ([("file", b"x" * 5_000_001, MP4)], 413, "File too large"),
    ([("file", b"x" * 6_000_000, MP4)], 413, "File too large"),
]


@pytest.mark.parametrize(("fields", "status", "error"), FORMS)
async def test_a_form_that_is_wrong_leaves_nothing(
    world: World, friends: Friends, fields: list[Field], status: int, error: str
) -> None:
    answer = await friends.uploader.ask("POST", f"/streams/{friends.stream_id}/videos", data=_form(*fields))
    assert (answer.status, answer.error) == (status, error)
    assert await world.rows("videos") == []
    await world.gateway.sweeper.sweep()
    assert [info.key async for info in world.store.list("raw-uploads/")] == []


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "multipart/form-data"}, b"no boundary"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\nnonsense"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b""),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\ncut',
        ),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},
            b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\nz\r\n--y--\r\n--x--",
        ),
    ],
)
async def test_a_form_that_is_none(world: World, friends: Friends, headers: dict[str, str], body: bytes) -> None:
    answer = await friends.uploader.ask("POST", f"/streams/{friends.stream_id}/videos", headers=headers, data=body)
    assert (answer.status, answer.error) == (400, "Invalid video file")
    assert await world.rows("videos") == []


async def test_a_form_whose_sender_leaves_is_no_video(world: World, friends: Friends) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    _, writer = await asyncio.open_connection(world.base.host, world.base.port)
    writer.write(
        f"POST /streams/{friends.stream_id}/videos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {friends.uploader.token}\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000\r\n\r\n".encode()
        + head
        + b"y" * 1000
    )
    await writer.drain()

    async def began() -> bool:
        return len(await world.rows("videos")) == 1

    await eventually(began)
    writer.close()

    async def gone() -> bool:
        return await world.rows("videos") == []

    await eventually(gone)
    assert [info.key async for info in world.store.list("raw-uploads/")] == []


async def test_asking_for_an_address_is_a_sign_of_life(world: World, friends: Friends) -> None:
    made = await world.announced(friends.uploader, friends.stream_id)
    await world.pool.execute("UPDATE videos SET look_at = now(), seen_at = now() - interval '25 hours'")
    assert (await friends.uploader.post(f"/videos/{made['id']}/upload-url")).status == 200
    await world.gateway.sweeper.sweep()
    assert (await friends.viewer.get(f"/videos/{made['id']}")).json["status"] == "uploading"


async def test_a_new_video_costs_the_database_one_statement_of_its_own(world: World, friends: Friends) -> None:
    """Beside the one that says who calls and whether they may."""
    statements: list[str] = []
    async with world.pool.acquire() as connection:  # the only one, and the next one taken
        connection.add_query_logger(lambda query: statements.append(query.query))
    await world.announced(friends.uploader, friends.stream_id)
    assert ["INSERT INTO videos" in each for each in statements] == [False, True]
