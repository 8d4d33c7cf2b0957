"""A video's seconds and what lies on them."""

from __future__ import annotations

from clipstream.common.contracts import keys
from integration.gateway.conftest import Friends
from integration.gateway.test_matches import match
from integration.gateway.world import World

VTT = b"""WEBVTT

NOTE 00:00.000 --> 00:01.000 is no cue

00:01.000 --> 00:02.500
<v Ann>enemy &amp; friend
on the left</v>

cue-2
01:00:00.250 --> 01:00:01.000
behind you
"""


async def test_everything_in_its_place(world: World, friends: Friends) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    await world.store.put(keys.captions(video_id), VTT, content_type="text/vtt")
    late, early = [await world.ready(friends.uploader, friends.stream_id) for _ in range(2)]
    await match(world, late, video_id, "trim", start_time=20, duration=3)
    await match(world, early, video_id, "trim", start_time=2, duration=3)
    await match(world, video_id, late, "pov", offset_s=-1.5, confidence=0.9)
    answer = await friends.viewer.get(f"/videos/{video_id}/timeline")
    assert answer.status == 200
    seen = answer.json
    assert seen["original_duration"] == 29.5
    assert [(clip["id"], clip["start_time"]) for clip in seen["trimmed_clips"]] == [(str(early), 2), (str(late), 20)]
    assert set(seen["trimmed_clips"][0]) >= {"id", "title", "start_time", "duration", "thumbnail_url"}
    assert [(pov["id"], pov["offset"]) for pov in seen["povs"]] == [(str(late), -1.5)]
    assert seen["speech"] == [
        {"start_time": 1.0, "duration": 1.5, "text": "enemy & friend on the left"},
        {"start_time": 3600.25, "duration": 0.75, "text": "behind you"},
    ]
    again = await friends.viewer.get(f"/videos/{video_id}/timeline", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304


async def test_not_while_it_is_processed(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    answer = await friends.viewer.get(f"/videos/{video_id}/timeline")
    assert (answer.status, answer.json) == (202, {"error": "Processing not complete", "processing_index": 1})


async def test_a_clip_without_speech_or_without_captions(world: World, friends: Friends) -> None:
    silent = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(silent, friends.stream_id)
    await world.project(*told.finish(without=("stt",)).told)
    lost = await world.ready(friends.uploader, friends.stream_id)
    await world.store.delete(keys.captions(lost))
    for video_id in (silent, lost):
        assert (await friends.viewer.get(f"/videos/{video_id}/timeline")).json["speech"] == []


async def test_a_clip_that_could_not_be_used_has_an_empty_one(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.reject("This file holds text, not video.")
    await world.project(*told.told)
    answer = await friends.viewer.get(f"/videos/{video_id}/timeline")
    assert answer.json == {"original_duration": None, "trimmed_clips": [], "povs": [], "speech": []}
