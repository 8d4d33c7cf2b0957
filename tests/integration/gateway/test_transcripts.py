"""What stages wrote about a video: the transcript in every format, and the vectors of its pictures."""

from __future__ import annotations

import pytest

from clipstream.common.contracts import keys
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import World


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def friends(shared_world: World) -> Friends:
    return await make_friends(shared_world)


@pytest.mark.parametrize(
    ("query", "content_type", "body"),
    [
        ("", "application/json", '{"segments": [{"text": "enemy on the left"}]}'),
        ("?format=json", "application/json", '{"segments": [{"text": "enemy on the left"}]}'),
        ("?format=vtt", "text/vtt; charset=utf-8", "WEBVTT\n\n00:01.000 --> 00:02.000\nenemy on the left\n"),
        ("?format=srt", "application/x-subrip; charset=utf-8", "1\n00:00:01,000 --> 00:00:02,000\nenemy on the left\n"),
        ("?format=txt", "text/plain; charset=utf-8", "enemy on the left\n"),
    ],
)
async def test_the_transcript_in_every_format(
    world: World, friends: Friends, query: str, content_type: str, body: str
) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    answer = await friends.viewer.get(f"/videos/{video_id}/transcript{query}")
    assert (answer.status, answer.headers["Content-Type"], answer.raw.decode()) == (200, content_type, body)


async def test_a_format_nobody_knows(world: World, friends: Friends) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    answer = await friends.viewer.get(f"/videos/{video_id}/transcript?format=docx")
    assert (answer.status, answer.error) == (400, "Invalid request")


async def test_no_transcript_yet_and_none_ever(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    waiting = await friends.viewer.get(f"/videos/{video_id}/transcript")
    assert (waiting.status, waiting.json) == (202, {"error": "Processing not complete", "processing_index": 1})
    told = await world.story(video_id, friends.stream_id)
    told.fail("stt", told.dedupe(), error="No speech model is configured.")
    await world.project(*told.told)
    never = await friends.viewer.get(f"/videos/{video_id}/transcript")
    assert (never.status, never.error) == (404, "Transcript not available")
    assert never.json["details"] == ["No speech model is configured."]


@pytest.mark.parametrize("form", ["json", "vtt", "srt", "txt"])
async def test_a_transcript_is_not_sent_twice(world: World, friends: Friends, form: str) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    first = await friends.viewer.get(f"/videos/{video_id}/transcript?format={form}")
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Disposition" not in first.headers
    again = await friends.viewer.get(
        f"/videos/{video_id}/transcript?format={form}", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status, again.raw) == (304, b"")
    head = await friends.viewer.ask("HEAD", f"/videos/{video_id}/transcript?format={form}")
    assert (head.status, head.headers["ETag"], head.raw) == (200, first.headers["ETag"], b"")
    assert int(head.headers["Content-Length"]) == len(first.raw)


@pytest.mark.parametrize(
    ("title", "plain", "encoded"),
    [
        ("Ace", "Ace.srt", "Ace.srt"),
        ("Größe 9", "Groe 9.srt", "Gr%C3%B6%C3%9Fe%209.srt"),
        ('a"b\\c/d:e*f?g<h>i|j%k', "a_b_c_d_e_f_g_h_i_j_k.srt", "a_b_c_d_e_f_g_h_i_j_k.srt"),
        ("..", "clip.srt", "_.srt"),
        ("../../etc/passwd", "__.._etc_passwd.srt", "__.._etc_passwd.srt"),
        ("名前🎮", "clip.srt", "%E5%90%8D%E5%89%8D%F0%9F%8E%AE.srt"),
        ("it's (1); x=y, z", "it's (1); x=y, z.srt", "it%27s%20%281%29%3B%20x%3Dy%2C%20z.srt"),
        ("e\u0301\u200b\u200d", "e.srt", "e%CC%81.srt"),
        ("t" * 200, "t" * 120 + ".srt", "t" * 120 + ".srt"),
    ],
)
async def test_a_download_is_named_after_the_video(
    world: World, friends: Friends, title: str, plain: str, encoded: str
) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    assert (await friends.uploader.ask("PUT", f"/videos/{video_id}", json={"title": title})).status == 200
    answer = await friends.viewer.get(f"/videos/{video_id}/transcript?format=srt&download=1")
    assert answer.headers["Content-Disposition"] == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


async def test_the_vectors_as_they_were_stored(world: World, friends: Friends) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    answer = await friends.viewer.get(f"/videos/{video_id}/embeddings?download=1")
    assert (answer.status, answer.json) == (200, {"model": "m", "frames": []})
    assert answer.headers["Content-Type"] == "application/json"
    assert 'filename="clip.embeddings.json"' in answer.headers["Content-Disposition"]
    await world.store.delete(keys.embeddings(video_id))
    gone = await friends.viewer.get(f"/videos/{video_id}/embeddings")
    assert (gone.status, gone.error) == (404, "Embeddings not available")


async def test_no_vectors_yet_and_none_ever(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    waiting = await friends.viewer.get(f"/videos/{video_id}/embeddings")
    assert (waiting.status, waiting.json) == (202, {"error": "Processing not complete", "processing_index": 1})
    told = await world.story(video_id, friends.stream_id)
    told.fail("embed", told.dedupe(), error="The model file is damaged.")
    await world.project(*told.told)
    never = await friends.viewer.get(f"/videos/{video_id}/embeddings")
    assert (never.status, never.error) == (404, "Embeddings not available")
    assert never.json["details"] == ["The model file is damaged."]


@pytest.mark.parametrize("what", ["transcript", "embeddings"])
async def test_a_rejected_video_says_why_there_is_nothing(world: World, friends: Friends, what: str) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.reject("This file holds text, not video.")
    await world.project(*told.told)
    answer = await friends.viewer.get(f"/videos/{video_id}/{what}")
    assert (answer.status, answer.json["details"]) == (404, ["This file holds text, not video."])
