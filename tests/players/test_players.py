"""Three players that the world uses, in a real browser: each has to show all of an output without an error."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import numpy as np
import pytest

from players.conftest import Open, Shelf
from players.expected import Expected
from validators.finding import faults, read_web
from validators.output import check_output

PLACES = (0.93, 0.05, 0.5, 0.27, 0.71, 0.0, 0.84, 0.16, 0.62, 0.98)
"""Where to seek, as shares of the whole: back and forth, into every segment."""


class Case(NamedTuple):
    script: str
    manifest: str


CASES = {
    "hls.js": Case("hls", "master.m3u8"),
    "shaka-hls": Case("shaka", "master.m3u8"),
    "shaka-dash": Case("shaka", "manifest.mpd"),
    "dash.js": Case("dash", "manifest.mpd"),
}
each_player = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


async def test_the_judges_read_it_from_a_server_too(shelf: Shelf) -> None:
    read = read_web(shelf.address("/output/"))
    assert faults(await asyncio.to_thread(check_output, read)) == []
    assert await asyncio.to_thread(check_output, read, "no-such.m3u8")


@each_player
async def test_plays_to_the_end(opened: Open, there: Expected, case: Case) -> None:
    player = await opened(*case)
    seen = await player.run("playToTheEnd()")
    assert await player.errors() == []
    assert seen["time"] == pytest.approx(there.duration_s, abs=0.1)
    assert seen["duration"] == pytest.approx(there.duration_s, abs=0.1)
    [[start, end]] = seen["ranges"]
    assert start == pytest.approx(0, abs=0.05)
    assert end == pytest.approx(there.duration_s, abs=0.1)
    assert seen["pictures"] > there.duration_s, "the picture stood still"


@each_player
async def test_seeks_to_ten_places(opened: Open, there: Expected, case: Case) -> None:
    player = await opened(*case)
    shown = []
    for place in PLACES:
        time = place * there.duration_s
        near = 1.5 / there.frame_rate
        seen = await player.run("([time, near]) => seek(time, near)", [time, near])
        assert seen["time"] == pytest.approx(time, abs=0.01)
        assert seen["ready"] >= 2
        assert seen["shown"] == pytest.approx(time, abs=near), "another picture than the one asked for"
        shown.append(np.array(seen["pixels"]))
    assert all(picture.std() > 5 for picture in shown), "nothing but one colour"
    pairs = [(a, b) for n, a in enumerate(shown) for b in shown[:n]]
    assert min(np.abs(a - b).mean() for a, b in pairs) > 0.5, "the same picture in two places"
    assert await player.errors() == []


@each_player
async def test_switches_quality_up_and_down(opened: Open, there: Expected, case: Case) -> None:
    player = await opened(*case)
    assert sorted(await player.run("player.heights()")) == list(there.heights)
    for height in (there.heights[0], there.heights[-1], there.heights[0]):
        await player.run("(height) => player.choose(height)", height)
        await player.run("(height) => playUntilHeight(height)", height)
        assert await player.run("video.videoHeight") == height
    assert await player.errors() == []


@each_player
async def test_shows_captions(opened: Open, there: Expected, case: Case) -> None:
    player = await opened(*case, captions=True)
    await player.run("playFor(0.3)")  # dash.js asks for captions when it plays
    await player.wait("(count) => cues().length >= count", len(there.captions))
    cues = await player.run("cues()")
    assert [text for _, text in cues] == [text for _, text in there.captions]
    assert [start for start, _ in cues] == pytest.approx([start for start, _ in there.captions], abs=0.05)
    for start, text in there.captions:
        await player.run("(time) => seek(time, 0.1)", start + 0.2)
        await player.wait("(text) => overlaid().includes(text)", text)
    assert await player.errors() == []


@each_player
async def test_switches_the_sound(opened: Open, there: Expected, case: Case) -> None:
    player = await opened(*case)
    first, second = list(there.sounds)[:2]
    assert sorted(await player.run("player.sounds()")) == sorted(there.sounds)
    assert await player.run("player.sound()") == first, "the default is not what is heard first"
    assert not there.sounds[second] & set(player.shelf.asked)
    for name in (second, first):
        await player.run("(name) => player.hear(name)", name)
        await player.wait("(name) => player.sound() === name", name)
        await player.run("playFor(0.5)")
    assert there.sounds[second] & set(player.shelf.asked), "the other sound was never fetched"
    assert await player.errors() == []
