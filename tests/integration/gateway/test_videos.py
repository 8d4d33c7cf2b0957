"""Videos as clients see them: lists, states, playback, what was found out, deletion."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from clipstream.common.contracts.ids import VideoId
from clipstream.gateway.clip import STAGES
from integration.gateway.conftest import Friends
from integration.gateway.world import FILE, World, serving, settings


async def test_a_list_has_what_a_card_shows(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id, title="Ace")
    (video,) = (await friends.viewer.get(f"/streams/{friends.stream_id}/videos")).json["videos"]
    assert video["uploaded_by"] == {"id": str(friends.uploader.user_id), "name": "uploader", "avatar": None}
    assert datetime.fromisoformat(video["uploaded_at"]) <= datetime.now(UTC)
    assert {
        name: video[name] for name in ("id", "title", "duration", "processing_index", "status", "thumbnail_url")
    } == {
        "id": str(video_id),
        "title": "Ace",
        "duration": None,
        "processing_index": 1,
        "status": "processing",
        "thumbnail_url": f"/files/videos/{video_id}/thumbnail",
    }


async def test_lists_have_pages_newest_first(world: World, friends: Friends) -> None:
    made = [(await world.announced(friends.uploader, friends.stream_id))["id"] for _ in range(5)]
    seen: list[str] = []
    page: str | None = "limit=2"
    while page is not None:
        answer = (await friends.viewer.get(f"/streams/{friends.stream_id}/videos?{page}")).json
        seen += [video["id"] for video in answer["videos"]]
        page = None if answer["next_cursor"] is None else f"limit=2&cursor={answer['next_cursor']}"
    assert seen == made[::-1]


async def test_streams_say_what_the_caller_is_in_them(world: World, friends: Friends) -> None:
    await world.uploaded(friends.uploader, friends.stream_id)
    (stream,) = (await friends.creator.get("/streams")).json["streams"]
    assert set(stream) == {"id", "name", "description", "role", "member_count", "video_count", "created_at"}
    assert (stream["role"], stream["member_count"], stream["video_count"]) == ("creator", 5, 1)
    details = (await friends.viewer.get(f"/streams/{friends.stream_id}")).json
    assert set(details) >= {"id", "name", "description", "owner", "settings", "user_role", "member_count"}
    assert (details["user_role"], details["owner"]["name"]) == ("viewer", "owner")


async def test_processing_shows_every_stage(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.dedupe()
    told.transcode()
    assert told.admitted is not None
    told.fail("stt", told.admitted, error="No speech model is configured.")
    await world.project(*told.told)
    seen = (await friends.viewer.get(f"/videos/{video_id}/processing")).json
    assert [stage["stage"] for stage in seen["stages"]] == list(STAGES)
    states = {stage["stage"]: stage["state"] for stage in seen["stages"]}
    assert states == {
        "ingest": "done",
        "preview": "queued",
        "dedupe": "done",
        "transcode": "done",
        "stt": "failed",
        "embed": "queued",
        "captions": "skipped",
        "search_text": "skipped",
        "search_vectors": "queued",
    }
    stt = next(stage for stage in seen["stages"] if stage["stage"] == "stt")
    assert stt["error"] == "No speech model is configured."
    assert seen["status"] == "processing"
    assert seen["estimated_time"]
    assert seen["playable_at"] is not None


async def test_a_ready_video_plays(world: World, friends: Friends) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    answer = (await friends.viewer.get(f"/videos/{video_id}/stream")).json
    assert set(answer) == {"hls_url", "dash_url", "bitrates", "captions_url", "storyboard_url", "preview_url"}
    assert answer["bitrates"] == [480]
    master = await world.nobody.get(answer["hls_url"])
    assert (master.status, master.raw[:7]) == (200, b"#EXTM3U")
    assert (await world.nobody.get(answer["captions_url"])).raw.startswith(b"WEBVTT")


async def test_addresses_name_the_public_host_where_it_is_known(gateway_database: str, tmp_path: Path) -> None:
    chosen = settings(gateway_database, tmp_path)
    public = chosen.model_copy(update={"public_api_url": "https://api.example.org/"})
    async with serving(public.model_copy(update={"dev_login": True})) as world:
        owner = await world.person("Ann")
        stream_id = await world.stream(owner)
        video_id = await world.ready(owner, stream_id)
        answer = (await owner.get(f"/videos/{video_id}/stream")).json
        assert answer["hls_url"].startswith("https://api.example.org/media/")


async def test_until_it_can_be_played_it_says_so(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    answer = await friends.viewer.get(f"/videos/{video_id}/stream")
    assert (answer.status, answer.error) == (202, "Video still processing")
    assert (answer.json["processing_index"], answer.json["hls_url"]) == (1, None)
    assert answer.json["estimated_time"]


async def test_it_plays_while_speech_and_search_are_still_at_work(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.transcode()
    await world.project(*told.told)
    await world.put_outputs(video_id)
    assert (await friends.viewer.get(f"/videos/{video_id}")).json["status"] == "processing"
    answer = await friends.viewer.get(f"/videos/{video_id}/stream")
    assert (answer.status, answer.json["bitrates"], answer.json["captions_url"]) == (200, [480], None)
    assert (await world.nobody.get(answer.json["hls_url"])).status == 200


async def test_a_rejected_video_says_why_it_does_not_play(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.reject("This file holds text, not video.")
    await world.project(*told.told)
    answer = await friends.viewer.get(f"/videos/{video_id}/stream")
    assert (answer.status, answer.error) == (409, "Video cannot be played")
    assert answer.json["details"] == ["This file holds text, not video."]


async def test_a_copy_of_what_was_deleted_says_what_to_do_and_can_be_sent_again(world: World, friends: Friends) -> None:
    original = await world.ready(friends.uploader, friends.stream_id)
    copy = await _duplicate(world, friends, original)
    known = {"filename": "again.mp4", "size": len(FILE), "sha256": hashlib.sha256(FILE).hexdigest()}
    videos = f"/streams/{friends.stream_id}/videos"
    assert (await friends.uploader.post(videos, known)).status == 409
    assert (await friends.uploader.ask("DELETE", f"/videos/{original}")).status == 204
    answer = await friends.viewer.get(f"/videos/{copy}/stream")
    assert (answer.status, answer.error) == (409, "Video cannot be played")
    assert answer.json["details"] == ["The clip that this one is a copy of was deleted. Upload this one again."]
    assert (await friends.uploader.post(videos, known)).status == 201


async def _duplicate(world: World, friends: Friends, original: VideoId) -> VideoId:
    copy = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(copy, friends.stream_id)
    told.copy_of(original)
    await world.project(*told.told)
    return copy


async def test_a_duplicate_names_its_original_and_plays_it(world: World, friends: Friends) -> None:
    original = await world.ready(friends.uploader, friends.stream_id)
    copy = await _duplicate(world, friends, original)
    answer = (await friends.viewer.get(f"/videos/{copy}/duplicates")).json
    assert (answer["is_duplicate"], answer["similarity"]) == (True, 1.0)
    assert answer["original_video"]["id"] == str(original)
    assert set(answer["original_video"]) == {"id", "title", "uploaded_by", "uploaded_at"}
    details = (await friends.viewer.get(f"/videos/{copy}")).json
    assert (details["status"], details["processing_index"]) == ("duplicate", -1)
    assert str(original) in (await friends.viewer.get(f"/videos/{copy}/stream")).json["hls_url"]


async def test_a_duplicate_whose_original_is_gone(world: World, friends: Friends) -> None:
    original = await world.ready(friends.uploader, friends.stream_id)
    copy = await _duplicate(world, friends, original)
    await friends.uploader.ask("DELETE", f"/videos/{original}")
    assert (await friends.viewer.get(f"/videos/{copy}/duplicates")).error == "Not a duplicate video"
    assert (await friends.viewer.get(f"/videos/{copy}/stream")).status == 409


async def test_an_original_in_another_stream_is_never_shown(world: World, friends: Friends) -> None:
    """dedupe looks within one stream; if it ever did not, nothing would leak here."""
    theirs = await world.stream(friends.outsider)
    original = await world.ready(friends.outsider, theirs)
    copy = await _duplicate(world, friends, original)
    assert (await friends.viewer.get(f"/videos/{copy}/duplicates")).status == 404
    assert (await friends.viewer.get(f"/videos/{copy}/stream")).status == 409


async def test_deleting_takes_everything(world: World, friends: Friends) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    kept = await world.ready(friends.uploader, friends.stream_id)
    assert (await friends.admin.ask("DELETE", f"/videos/{video_id}")).status == 204
    assert (await friends.admin.get(f"/videos/{video_id}")).error == "Video not found"
    assert (await friends.admin.ask("DELETE", f"/videos/{video_id}")).status == 404
    left = [info.key async for info in world.store.list("")]
    assert left
    assert all(str(kept) in key for key in left)
    sent = [json.loads(row["body"]) for row in await world.rows("outbox")]
    assert [e["subject"] for e in sent if e["type"] == "clip.deleted.v1"] == [str(video_id)]


async def test_a_list_can_be_narrowed(world: World, friends: Friends) -> None:
    ace = await world.ready(friends.uploader, friends.stream_id)
    await friends.uploader.ask("PUT", f"/videos/{ace}", json={"title": "100% Ace_clutch", "tags": ["Clutch", "Größe"]})
    loss = UUID((await world.announced(friends.creator, friends.stream_id, title="A loss"))["id"])

    async def listed(query: str) -> list[UUID]:
        answer = await friends.viewer.get(f"/streams/{friends.stream_id}/videos?{query}")
        assert answer.status == 200, answer.raw
        return [UUID(video["id"]) for video in answer.json["videos"]]

    assert await listed("status=ready") == [ace]
    assert await listed("status=uploading") == [loss]
    assert await listed(f"uploader_id={friends.creator.user_id}") == [loss]
    assert await listed("tag=CLUTCH") == await listed("tag=GR%C3%96%C3%9Fe") == [ace]
    assert await listed("tag=Clut") == []
    assert await listed("q=ace_CLUTCH") == await listed("q=100%25") == [ace]
    assert await listed("q=%25") == [ace]
    assert await listed("q=_") == [ace]
    assert await listed("q=ace&status=uploading") == []
    assert await listed("limit=1") == [loss]
    for wrong in ("status=odd", "uploader_id=x", "tag=" + "t" * 41, "q=%00"):
        assert (await friends.viewer.get(f"/streams/{friends.stream_id}/videos?{wrong}")).error == "Invalid request"
