"""Flagged duplicates, and the operator who says that one is none."""

from __future__ import annotations

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipUnique
from clipstream.common.contracts.ids import VideoId, derived_event_id
from corpus.stories import Story
from integration.gateway.conftest import Friends
from integration.gateway.world import World, unknown


async def _copy(world: World, friends: Friends, original: VideoId) -> tuple[VideoId, Story]:
    video_id = await world.uploaded(friends.uploader, friends.stream_id, title="A copy")
    told = await world.story(video_id, friends.stream_id)
    told.copy_of(original)
    await world.project(*told.told)
    await world.pool.execute("DELETE FROM outbox")
    return video_id, told


async def test_flagged_duplicates_are_listed_with_what_they_copy(world: World, friends: Friends) -> None:
    original = await world.ready(friends.uploader, friends.stream_id)
    copies = [(await _copy(world, friends, original))[0] for _ in range(3)]
    first_page = (await friends.site_admin.get("/admin/duplicates?limit=2")).json
    last_page = (await friends.site_admin.get(f"/admin/duplicates?limit=2&cursor={first_page['next_cursor']}")).json
    assert last_page["next_cursor"] is None
    shown = first_page["duplicates"] + last_page["duplicates"]
    assert [item["video"]["id"] for item in shown] == [str(copy) for copy in reversed(copies)]
    first = shown[0]
    assert (first["kind"], first["similarity"], first["video"]["title"]) == ("remuxed", 1.0, "A copy")
    assert first["original_video"]["id"] == str(original)
    assert first["flagged_at"] is not None
    await world.pool.execute("DELETE FROM videos WHERE id = $1", original)
    assert (await friends.site_admin.get("/admin/duplicates")).json["duplicates"][0]["original_video"] is None


async def test_a_dismissed_duplicate_goes_on_and_becomes_ready(world: World, friends: Friends) -> None:
    original = await world.ready(friends.uploader, friends.stream_id)
    video_id, told = await _copy(world, friends, original)
    assert (await friends.viewer.get(f"/videos/{video_id}/duplicates")).status == 200

    for _ in range(2):
        answer = await friends.site_admin.post(f"/admin/duplicates/{video_id}/dismiss")
        assert (answer.status, answer.json["status"], answer.json["processing_index"]) == (200, "processing", 2)
    row, let_in = sorted(await world.rows("outbox"), key=lambda row: int(row["id"]))
    assert Envelope.from_bytes(let_in["body"].encode()).type == "clip.admitted.v1"
    said = Envelope.from_bytes(row["body"].encode())
    assert told.ingested is not None
    assert row["queue"] is None
    assert said.id == derived_event_id(told.ingested.id, "dismissed", ClipUnique.type)
    assert isinstance(said.data, ClipUnique)
    assert (said.data.key, said.data.etag) == (told.ingested.data.key, told.ingested.data.etag)  # type: ignore[attr-defined]
    assert await world.rows("matches", video_id=video_id) == []
    assert (await friends.viewer.get(f"/videos/{video_id}/duplicates")).status == 404
    assert (await friends.site_admin.get("/admin/duplicates")).json["duplicates"] == []

    await world.project(*told.told)  # dedupe says it again, under the same id and under another
    again = told.told[-1].model_copy(update={"id": derived_event_id(told.ingested.id, "again", "clip.duplicate.v1")})
    await world.project(again)
    assert await world.rows("matches", video_id=video_id) == []
    told.unique = said
    await world.project(*told.finish().told)
    details = (await friends.viewer.get(f"/videos/{video_id}")).json
    assert (details["status"], details["processing_index"]) == ("ready", 0)


async def test_only_a_duplicate_can_be_dismissed(world: World, friends: Friends) -> None:
    ready = await world.ready(friends.uploader, friends.stream_id)
    answer = await friends.site_admin.post(f"/admin/duplicates/{ready}/dismiss")
    assert (answer.status, answer.error) == (409, "Not a duplicate video")
    for missing in (unknown(), "not-an-id"):
        answer = await friends.site_admin.post(f"/admin/duplicates/{missing}/dismiss")
        assert (answer.status, answer.error) == (404, "Video not found")


async def test_a_duplicate_is_not_retried_but_dismissed(world: World, friends: Friends) -> None:
    original = await world.ready(friends.uploader, friends.stream_id)
    video_id, _ = await _copy(world, friends, original)
    answer = await friends.site_admin.post("/admin/processing/retry", {"video_id": str(video_id)})
    assert answer.status == 409
    assert "dismiss" in answer.json["details"][0]
