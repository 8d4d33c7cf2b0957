"""What is found by words, with the real search service: in titles and in speech, page by page, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from clipstream.common.contracts.ids import VideoId
from fixtures.postgres import Databases
from integration.gateway.conftest import Friends
from integration.gateway.speech import Speech, speaking
from integration.gateway.world import Somebody, World


@pytest.fixture
async def speech(world: World, databases: Databases, tmp_path: Path) -> AsyncIterator[Speech]:
    async with speaking(world, databases, tmp_path) as started:
        yield started


async def find(who: Somebody, q: str, more: str = "") -> Any:
    answer = await who.get(f"/search?q={quote(q)}{more}")
    assert answer.status == 200, answer.raw
    return answer.json


async def suggest(who: Somebody, q: str, more: str = "") -> list[tuple[str, str]]:
    answer = await who.get(f"/search/suggestions?q={quote(q)}{more}")
    assert answer.status == 200, answer.raw
    assert answer.json["incomplete"] == []
    return [(found["text"], found["kind"]) for found in answer.json["suggestions"]]


async def titled(world: World, friends: Friends, title: str, **more: Any) -> VideoId:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    answer = await friends.uploader.ask("PUT", f"/videos/{video_id}", json={"title": title} | more)
    assert answer.status == 200, answer.raw
    return video_id


@pytest.mark.parametrize(
    "query",
    [
        "clutch",
        "CLUTCH",
        "ace clutch",
        "clutch ace",
        "clu",
        "ace clu",
        "2024",
        "größ",
        "GRÖßE",
        "ranked",
        "last aliv",
        '"ace clutch"',
        "ace_clutch-2024",
        "ace -noob",
        "zebra or ace",
        "the",
    ],
)
async def test_what_was_written_is_found(world: World, friends: Friends, speech: Speech, query: str) -> None:
    video_id = await titled(
        world, friends, "Ace_clutch-2024.mp4", tags=["Größe", "ranked"], description="The last one alive"
    )
    assert [found["id"] for found in (await find(friends.viewer, query))["videos"]] == [str(video_id)]


@pytest.mark.parametrize("query", ["lutch", "ace -clutch", '"clutch ace"', "clu ace", "ace zebra", "mp3"])
async def test_what_was_not_written_is_not(world: World, friends: Friends, speech: Speech, query: str) -> None:
    await titled(world, friends, "Ace_clutch-2024.mp4")
    assert (await find(friends.viewer, query))["videos"] == []


@pytest.mark.parametrize(
    ("query", "marked"),
    [
        ("clutch", ["Ace_", "clutch", ".mp4"]),
        ("mp", ["Ace_clutch.", "mp4", ""]),
        ("rank", ["", "Ranked", ", <b>&"]),
        ("alive", ["Round 3:\nlast ", "alive", "!"]),
    ],
)
async def test_found_words_are_marked_where_they_stand(
    world: World, friends: Friends, speech: Speech, query: str, marked: list[str]
) -> None:
    await titled(world, friends, "Ace_clutch.mp4", tags=["Ranked", "<b>&"], description="Round 3:\nlast alive!")
    (found,) = (await find(friends.viewer, query))["videos"]
    assert (found["kind"], found["marked"], found["snippet"]) == ("title", marked, "".join(marked))
    assert (found["timestamp"], found["title"]) == (0.0, "Ace_clutch.mp4")


async def test_a_long_description_is_cut_around_the_word(world: World, friends: Friends, speech: Speech) -> None:
    await titled(world, friends, "clip", description="before " * 100 + "needle" + " after" * 100)
    (found,) = (await find(friends.viewer, "needle"))["videos"]
    assert found["marked"][1] == "needle"
    assert found["snippet"].startswith("… before ")
    assert found["snippet"].endswith(" …")
    assert len(found["snippet"]) < 200


async def test_titles_before_tags_before_descriptions(world: World, friends: Friends, speech: Speech) -> None:
    described = await titled(world, friends, "one", description="zebra")
    tagged = await titled(world, friends, "two", tags=["zebra"])
    named = await titled(world, friends, "zebra")
    answer = await find(friends.viewer, "zebra")
    assert [found["id"] for found in answer["videos"]] == [str(v) for v in (named, tagged, described)]


async def test_pages_over_titles_and_speech_are_exact(world: World, friends: Friends, speech: Speech) -> None:
    """25 titles; 30 videos in which it is said, 10 of them titled so and said from second 0: shown once."""
    titles = [await titled(world, friends, f"zebra {n}") for n in range(25)]
    for video_id in titles[:10]:
        await speech.say(video_id, friends.stream_id, "a zebra", "no")
    for video_id in titles[10:15]:
        await speech.say(video_id, friends.stream_id, "no", "a zebra")
    others = [await world.uploaded(friends.uploader, friends.stream_id) for _ in range(15)]
    for video_id in others:
        await speech.say(video_id, friends.stream_id, "a zebra")
    seen: list[tuple[str, str, float]] = []
    for page in range(1, 5):
        answer = await find(friends.viewer, "zebra", f"&page={page}")
        assert (answer["total_results"], answer["page"], answer["incomplete"]) == (45, page, [])
        seen += [(found["kind"], found["id"], found["timestamp"]) for found in answer["videos"]]
    assert len(seen) == 45
    assert len({(video_id, second) for _, video_id, second in seen}) == 45
    assert [kind for kind, _, _ in seen] == ["title"] * 25 + ["speech"] * 20
    assert {video_id for kind, video_id, _ in seen if kind == "speech"} == {str(v) for v in (*titles[10:15], *others)}
    assert (await find(friends.viewer, "zebra", "&mode=speech"))["total_results"] == 30
    assert (await find(friends.viewer, "zebra", "&mode=title"))["total_results"] == 25
    assert (await find(friends.viewer, "zebra", "&page=3&mode=title"))["videos"] == []


async def test_only_what_the_caller_may_see(world: World, friends: Friends, speech: Speech) -> None:
    ours = await titled(world, friends, "zebra ours", tags=["zebra crossing"])
    await speech.say(ours, friends.stream_id, "no", "zebra said")
    theirs = await world.stream(friends.outsider)
    hidden = await world.uploaded(friends.outsider, theirs)
    edit = {"title": "zebra theirs", "tags": ["zebra secret"], "description": "zebra hidden"}
    await friends.outsider.ask("PUT", f"/videos/{hidden}", json=edit)
    await speech.say(hidden, theirs, "zebra whispered")

    answer = await friends.viewer.get("/search?q=zebra")
    assert [found["id"] for found in answer.json["videos"]] == [str(ours)] * 2
    assert answer.json["total_results"] == 2
    begun = await friends.viewer.get("/search/suggestions?q=zeb")
    assert {found["text"] for found in begun.json["suggestions"]} == {
        "zebra ours",
        "zebra crossing",
        "zebra",
        "zebra said",
    }
    for raw in (answer.raw, begun.raw):
        assert not any(word in raw for word in (b"theirs", b"secret", b"hidden", b"whispered", str(hidden).encode()))
    assert {found["id"] for found in (await find(friends.outsider, "zebra"))["videos"]} == {str(hidden)}
    assert {text for text, _ in await suggest(friends.outsider, "zebra wh")} == {"zebra whispered"}

    second = await world.stream(friends.viewer)
    assert (await find(friends.viewer, "zebra", f"&stream_id={second}"))["total_results"] == 0
    assert await suggest(friends.viewer, "zebra", f"&stream_id={second}") == []
    for route in ("/search?q=zebra", "/search/suggestions?q=zebra"):
        refused = await friends.viewer.get(f"{route}&stream_id={theirs}")
        assert (refused.status, refused.error) == (403, "Access denied")
    await world.pool.execute("DELETE FROM members WHERE user_id = $1", friends.viewer.user_id)
    assert (await find(friends.viewer, "zebra"))["total_results"] == 0
    assert await suggest(friends.viewer, "zebra") == []


async def test_what_was_begun_is_completed(world: World, friends: Friends, speech: Speech) -> None:
    first = await titled(world, friends, "Bridge push", tags=["bridge", "push"])
    await titled(world, friends, "bridge push", tags=["Bridge"])
    await speech.say(first, friends.stream_id, "push the bridge now", "the bridge is down and nobody of us is up there")
    assert await suggest(friends.viewer, "bri") == [
        ("bridge push", "title"),
        ("Bridge", "tag"),
        ("push the bridge now", "speech"),
    ]
    assert await suggest(friends.viewer, "push the br") == [
        ("push the bridge", "speech"),
        ("push the bridge now", "speech"),
    ]
    assert await suggest(friends.viewer, "the brid") == [
        ("the bridge", "speech"),
        ("push the bridge now", "speech"),
    ]
    assert await suggest(friends.viewer, "ridge") == []


async def test_at_most_ten_are_offered(world: World, friends: Friends, speech: Speech) -> None:
    for number in range(15):
        video_id = await titled(world, friends, f"zebra {number}", tags=[f"zebra tag {number}"])
        await speech.say(video_id, friends.stream_id, f"zebra said {number}")
    offered = await suggest(friends.viewer, "zebra")
    assert len(offered) == 10
    assert {kind for _, kind in offered} == {"title", "tag", "speech"}
