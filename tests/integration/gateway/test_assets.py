"""The scan: what lies in the store becomes videos, once."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import UploadCompleted
from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.gateway import scan as scanning
from integration.gateway.conftest import Friends
from integration.gateway.world import FILE, World, unknown


@pytest.fixture
async def operator(world: World, friends: Friends) -> Friends:
    """The site admin, who belongs to the stream as a creator here."""
    await world.join(friends.stream_id, friends.site_admin, "creator")
    return friends


async def _put(world: World, key: str, body: bytes = FILE, /, **metadata: str) -> None:
    sent = {name.replace("_", "-"): value for name, value in metadata.items()}
    await world.store.put(ObjectKey(key), body, content_type="application/octet-stream", metadata=sent)


async def _scan(friends: Friends, **order: Any) -> dict[str, Any]:
    answer = await friends.site_admin.post("/assets/scan", order)
    assert answer.status == 200, answer.raw
    found: dict[str, Any] = answer.json
    return found


async def _announced(world: World) -> list[UploadCompleted]:
    events = [Envelope.from_bytes(row["body"].encode()).data for row in await world.rows("outbox")]
    return [event for event in events if isinstance(event, UploadCompleted)]


async def test_an_upload_that_nobody_announced_is_announced_once(world: World, friends: Friends) -> None:
    made = await world.announced(friends.uploader, friends.stream_id)
    await world.announced(friends.uploader, friends.stream_id)  # its file has not arrived
    await world.send(made["upload"])
    first, second = await _scan(friends), await _scan(friends)
    assert (first["found"], first["registered"], first["skipped"]) == (1, 1, 0)
    assert first["files"] == [
        {"key": made["upload"]["key"], "video_id": made["id"], "status": "registered", "reason": None}
    ]
    assert (second["found"], second["registered"], second["skipped"]) == (1, 0, 1)
    assert second["files"][0]["status"] == "known"
    bare = await friends.site_admin.post("/assets/scan")
    assert (bare.status, bare.json) == (200, second)
    (event,) = await _announced(world)
    assert (str(event.video_id), event.announced_by) == (made["id"], "scan")
    assert (await friends.viewer.get(f"/videos/{made['id']}")).json["status"] == "processing"


async def test_an_original_whose_row_is_lost_comes_back_from_what_it_says_itself(
    world: World, friends: Friends
) -> None:
    video_id = VideoId(uuid4())
    whose = {"stream_id": friends.stream_id, "user_id": str(friends.uploader.user_id), "filename": "an ace.mkv"}
    await _put(world, keys.original(video_id, ".mkv"), **whose)
    # ingest heard of it from the bucket, and its answer found no video then; it is told again under the same id
    told = await world.story(video_id, friends.stream_id)
    ingested = told.ingest()
    await world.project(ingested)

    assert (await _scan(friends))["registered"] == 1
    details = (await friends.viewer.get(f"/videos/{video_id}")).json
    assert (details["title"], details["filename"], details["size"]) == ("an ace", "an ace.mkv", len(FILE))
    assert (details["uploaded_by"]["id"], details["status"]) == (str(friends.uploader.user_id), "processing")
    await world.project(ingested)
    assert (await friends.viewer.get(f"/videos/{video_id}")).json["duration"] is not None
    assert (await _scan(friends))["registered"] == 0


async def test_a_foreign_file_is_copied_to_where_originals_lie(world: World, operator: Friends) -> None:
    await _put(world, "import/2026/spray down.mp4", b"x" * 3_000_000)
    order = {"prefix": "import/", "stream_id": operator.stream_id}
    first = await _scan(operator, **order)
    assert (first["found"], first["registered"]) == (1, 1)
    video_id = UUID(first["files"][0]["video_id"])
    copied = await world.store.head(keys.original(VideoId(video_id), ".mp4"))
    assert (copied.size_bytes, copied.metadata["filename"]) == (3_000_000, "spray down.mp4")
    details = (await operator.viewer.get(f"/videos/{video_id}")).json
    assert (details["title"], details["content_type"], details["status"]) == ("spray down", "video/mp4", "processing")
    assert details["uploaded_by"]["id"] == str(operator.site_admin.user_id)
    assert (await _scan(operator, **order))["registered"] == 0
    assert (await _scan(operator))["registered"] == 0
    assert len(await _announced(world)) == 1
    await _put(world, "import/2026/spray down.mp4", b"another recording")
    assert (await _scan(operator, **order))["registered"] == 1


async def test_an_interrupted_copy_is_gone_on_with(world: World, operator: Friends) -> None:
    """The row was made, and the process died before the copy, or before it was announced."""
    await _put(world, "import/a.mp4")
    order = {"prefix": "import/", "stream_id": operator.stream_id}
    video_id = VideoId(UUID((await _scan(operator, **order))["files"][0]["video_id"]))
    for copied in (True, False):
        await world.pool.execute("UPDATE videos SET status = 'uploading', uploaded_at = NULL")
        await world.pool.execute("UPDATE stages SET trigger = NULL")
        await world.pool.execute("DELETE FROM inbox")
        await world.pool.execute("DELETE FROM outbox")
        if not copied:
            await world.store.delete(keys.original(video_id, ".mp4"))
        assert (await _scan(operator, prefix="import/"))["registered"] == 1
        assert [event.video_id for event in await _announced(world)] == [video_id]
        assert await world.store.get(keys.original(video_id, ".mp4")) == FILE


async def test_scans_at_the_same_time_register_once(world: World, operator: Friends) -> None:
    for number in range(5):
        await _put(world, f"import/{number}.mp4", bytes([number]) * 100)
    order = {"prefix": "import/", "stream_id": operator.stream_id}
    pages = await asyncio.gather(*(_scan(operator, **order) for _ in range(4)))
    assert {page["found"] for page in pages} == {5}
    assert len(await world.rows("videos")) == 5
    assert len(await _announced(world)) == 5


async def test_what_cannot_be_used_is_skipped_with_its_reason(world: World, friends: Friends) -> None:
    deleted = await world.uploaded(friends.uploader, friends.stream_id)
    await friends.uploader.ask("DELETE", f"/videos/{deleted}")
    uploader, stream = str(friends.uploader.user_id), friends.stream_id
    put = {
        "raw-uploads/notes.txt": ("Name the stream", {}),
        keys.original(VideoId(uuid4()), ".mp4"): ("does not say whose it is", {}),
        keys.original(VideoId(uuid4()), ".mkv"): ("no member", {"stream_id": unknown(), "user_id": uploader}),
        keys.original(VideoId(uuid4()), ".mov"): (
            "no member",
            {"stream_id": stream, "user_id": str(friends.revoked.user_id)},
        ),
        keys.original(VideoId(uuid4()), ".exe"): ("file must be one of", {"stream_id": stream, "user_id": uploader}),
        keys.original(deleted, ".mp4"): ("was deleted", {"stream_id": stream, "user_id": uploader}),
    }
    for key, (_, metadata) in put.items():
        await _put(world, key, **metadata)
    await _put(world, keys.original(VideoId(uuid4()), ".avi"), b"", stream_id=stream, user_id=uploader)
    page = await _scan(friends)
    reasons = {file["key"]: file["reason"] for file in page["files"] if file["status"] == "skipped"}
    assert len(reasons) == page["found"] == page["skipped"] == 7
    for key, (words, _) in put.items():
        assert words in reasons[key], key
    assert sum("It is empty." in reason for reason in reasons.values()) == 1
    assert await world.rows("videos") == []


async def test_what_is_too_large_or_was_made_here_is_skipped(world: World, operator: Friends) -> None:
    await _put(world, "import/long.mp4", b"x" * 5_000_001)
    order = {"prefix": "import/", "stream_id": operator.stream_id}
    (file,) = (await _scan(operator, **order))["files"]
    assert file["reason"] == "It is larger than 5MB."
    await _put(world, "thumbnails/x.jpg")
    (file,) = (await _scan(operator, prefix="thumb", stream_id=operator.stream_id))["files"]
    assert file["reason"] == "It was made by the pipeline."


async def test_a_large_store_is_looked_through_page_by_page(
    world: World, operator: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "PAGE", 2)
    for number in range(5):
        await _put(world, f"import/{number}.mp4", bytes([number + 1]))
    order: dict[str, Any] = {"prefix": "import/", "stream_id": operator.stream_id}
    seen = []
    for _ in range(3):
        page = await _scan(operator, **order)
        seen += [file["key"] for file in page["files"]]
        order["cursor"] = page["next_cursor"]
    assert seen == [f"import/{number}.mp4" for number in range(5)]
    assert order["cursor"] is None


async def test_a_call_that_has_taken_long_enough_begins_no_further_file(
    world: World, operator: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "PATIENCE_S", -1.0)
    for number in range(2):
        await _put(world, f"import/{number}.mp4", bytes([number + 1]))
    page = await _scan(operator, prefix="import/", stream_id=operator.stream_id)
    assert (page["found"], page["registered"]) == (1, 1)
    rest = await _scan(operator, prefix="import/", stream_id=operator.stream_id, cursor=page["next_cursor"])
    assert [file["key"] for file in rest["files"]] == ["import/1.mp4"]
    assert rest["next_cursor"] is None


async def test_running_the_place_gives_nobody_a_stream(world: World, friends: Friends) -> None:
    for stream_id, status, error in (
        (friends.stream_id, 403, "Creator access required"),
        (unknown(), 404, "Stream not found"),
    ):
        answer = await friends.site_admin.post("/assets/scan", {"stream_id": stream_id})
        assert (answer.status, answer.error) == (status, error)
        asked = f'mutation {{ scanMediaFolder(streamId: "{stream_id}") {{ found }} }}'
        answer = await friends.site_admin.post("/graphql", {"query": asked})
        (refusal,) = answer.json["errors"]
        assert (answer.status, refusal["message"], refusal["extensions"]) == (200, error, {"status": status})
        assert answer.json["data"] is None


@pytest.mark.parametrize(
    "order",
    [
        {"prefix": "../etc"},
        {"prefix": "a//b"},
        {"prefix": ""},
        {"prefix": "a\u0000"},
        {"cursor": "!"},
        {"cursor": "_w"},
        {"cursor": "A"},
        {"stream_id": "x"},
        {"bucket": "other"},
    ],
)
async def test_a_scan_of_nonsense_is_refused(world: World, friends: Friends, order: dict[str, str]) -> None:
    answer = await friends.site_admin.post("/assets/scan", order)
    assert (answer.status, answer.error) == (400, "Invalid request")
