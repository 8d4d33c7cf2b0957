"""The DASH manifest: its exact text, and what a parser that is not ours reads in it."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpegdash.parser import MPEGDASHParser

from clipstream.transcode.made import Track
from clipstream.transcode.manifests.captions import Captions
from clipstream.transcode.manifests.dash import manifest
from clipstream.transcode.manifests.files import entrances, of_tracks
from clipstream.transcode.manifests.placed import Placed
from fixtures.tracks import CLOCK, LADDER, SOUND_CLOCK, sound, video

NAMESPACE = "{urn:mpeg:dash:schema:mpd:2011}"

GOLDEN = (Path(__file__).parent / "golden" / "manifest.mpd").read_text()

SOUNDS = (
    sound(title="Mix"),
    sound("audio-1", title="Game", default=False, channels=6),
    sound("audio-2", title="Voice", language="ger", default=False),
)


def placed(*tracks: Track, prefix: str = "segments/plan/") -> list[Placed]:
    return [Placed(track, prefix) for track in tracks]


def read(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.encode())  # noqa: S314 - our own


def sets(text: str) -> list[ElementTree.Element]:
    return read(text).findall(f".//{NAMESPACE}AdaptationSet")


def timeline(text: str, representation: int = 0) -> list[tuple[int, int]]:
    """(start, duration) of each segment, as the specification reads them."""
    found: list[tuple[int, int]] = []
    due = 0
    for each in read(text).findall(f".//{NAMESPACE}SegmentTimeline")[representation]:
        due = int(each.get("t", due))
        for _ in range(int(each.get("r", 0)) + 1):
            found.append((due, int(each.attrib["d"])))
            due += int(each.attrib["d"])
    return found


def test_a_manifest_is_this_text() -> None:
    copied = video("source", size=(1920, 1080), sizes=(3_000_000, 2_000_000, 400_000), codec="avc1.64002a")
    videos = [Placed(copied, "segments/copy/"), *placed(LADDER[2])]
    spoken = sound(title='Voice <chat> & "more"', language="eng")
    assert manifest(videos, placed(spoken), Captions("en")) == GOLDEN


def test_another_parser_reads_the_same() -> None:
    mpd = MPEGDASHParser.parse(manifest(placed(*LADDER), placed(*SOUNDS), Captions("en")))
    assert (mpd.type, mpd.media_presentation_duration, mpd.min_buffer_time) == ("static", "PT9.5S", "PT3.8S")
    pictures, *sounds, words = mpd.periods[0].adaptation_sets
    assert [(each.id, each.width, each.height) for each in pictures.representations] == [
        ("1080p", 1920, 1080),
        ("720p", 1280, 720),
        ("480p", 854, 480),
    ]
    assert pictures.par is None
    template = pictures.representations[0].segment_templates[0]
    assert (template.media, template.start_number) == ("segments/plan/1080p-$Number%05d$.m4s", 0)
    assert [(s.t, s.d, s.r) for s in template.segment_timelines[0].Ss] == [(0, 4 * CLOCK, 1), (None, 23040, None)]
    assert [each.lang for each in sounds] == [None, None, "de"]
    assert [each.roles[0].value for each in sounds] == ["main", "alternate", "alternate"]
    assert [each.representations[0].audio_channel_configurations[0].value for each in sounds] == ["2", "6", "2"]
    assert words.representations[0].base_urls[0].base_url_value == "captions.vtt"


def test_sounds_have_the_names_that_hls_gives_them() -> None:
    labels = [each.findtext(f"{NAMESPACE}Label") for each in sets(manifest(placed(video()), placed(*SOUNDS), None))[1:]]
    assert labels == ["Mix", "Game", "Voice"]


def test_silent_pictures_have_one_set() -> None:
    assert [each.get("contentType") for each in sets(manifest(placed(*LADDER), (), None))] == ["video"]


def test_sound_alone_has_no_set_of_pictures() -> None:
    text = manifest((), placed(sound()), Captions())
    assert [each.get("contentType") for each in sets(text)] == ["audio", "text"]
    assert "PT9.5S" in text
    assert "lang" not in text


def test_uneven_groups_of_pictures_keep_their_ticks() -> None:
    lengths = [375_375, 375_375, 93_093, 450_450, 1001]
    text = manifest(placed(video("source", ticks=lengths, sizes=[1] * 5, clock=90_000)), (), None)
    starts = [sum(lengths[:n]) for n in range(5)]
    assert timeline(text) == list(zip(starts, lengths, strict=True))


def test_a_gap_and_a_late_beginning_are_told() -> None:
    """Where sound leads, pictures begin later; the clock is the same."""
    first, second = video(ticks=[CLOCK], sizes=[9], begin=CLOCK // 2), video(ticks=[CLOCK], sizes=[9], begin=2 * CLOCK)
    track = first.model_copy(update={"segments": first.segments + second.segments})
    text = manifest(placed(track), (), None)
    assert timeline(text) == [(CLOCK // 2, CLOCK), (2 * CLOCK, CLOCK)]
    assert read(text).get("mediaPresentationDuration") == "PT3S"


def test_numbers_begin_where_the_files_do() -> None:
    text = manifest(placed(video(first=7)), (), None)
    assert 'startNumber="7"' in text


@pytest.mark.parametrize(
    ("ticks", "clock", "aligned"),
    [
        pytest.param((4 * CLOCK, 4 * CLOCK, 23040), CLOCK, "true", id="same"),
        pytest.param((360_000, 360_000, 135_000), 90_000, "true", id="same-on-another-clock"),
        pytest.param((4 * CLOCK + 1, 4 * CLOCK - 1, 23040), CLOCK, "false", id="a-tick-later"),
        pytest.param((4 * CLOCK, 5 * CLOCK), CLOCK, "false", id="fewer"),
    ],
)
def test_alignment_is_claimed_only_where_it_is_true(ticks: tuple[int, ...], clock: int, aligned: str) -> None:
    copied = video("source", ticks=ticks, sizes=[9] * len(ticks), clock=clock, gop=0)
    assert sets(manifest(placed(copied, video()), (), None))[0].get("segmentAlignment") == aligned


@pytest.mark.parametrize(
    ("rate", "written"),
    [(Fraction(60000, 1001), "60000/1001"), (Fraction(30), "30"), (Fraction(25, 2), "25/2")],
    ids=["59.94", "30", "12.5"],
)
def test_frame_rates_are_fractions(rate: Fraction, written: str) -> None:
    assert f' frameRate="{written}"' in manifest(placed(video(rate=rate)), (), None)


@pytest.mark.parametrize(
    ("ticks", "buffer"),
    [
        pytest.param((61_440,) * 3, "PT3.8S", id="even"),
        pytest.param((64_000, 80_000, 1), "PT3.82S", id="uneven"),
        pytest.param((3_072, 80_000), "PT2.604S", id="short-first"),
        pytest.param((1,), "PT0.001S", id="one-tick"),
    ],
)
def test_one_segment_is_enough_to_begin(ticks: tuple[int, ...], buffer: str) -> None:
    """Players may wait until minBufferTime is loaded. Sound's segments may be longer than the pictures' by a frame: as long
    as the longest of all would mean a second segment of pictures."""
    spoken = sound(ticks=[193_024] * 3, sizes=[9] * 3)
    if len(ticks) == 1:
        spoken = sound(ticks=[1], sizes=[9])
    text = manifest(placed(video(ticks=ticks, sizes=[9] * len(ticks))), placed(spoken), None)
    assert read(text).get("minBufferTime") == buffer


def test_a_clip_of_one_short_segment() -> None:
    text = manifest(placed(video(ticks=[CLOCK // 60], sizes=[3000])), (), None)
    assert timeline(text) == [(0, 256)]
    assert read(text).get("mediaPresentationDuration") == "PT0.016667S"
    assert int(re.findall(r'bandwidth="(\d+)"', text)[0]) >= 8 * 3000 * 58


def test_every_attribute_stands_where_the_schema_has_it() -> None:
    """Order of elements in an adaptation set (ISO/IEC 23009-1, DASH-MPD.xsd): Label before Role before Representation."""
    for each in sets(manifest(placed(video()), placed(*SOUNDS), Captions("en"))):
        order = [child.tag.removeprefix(NAMESPACE) for child in each]
        assert order == sorted(order, key=["Label", "Role", "Representation"].index)


@given(st.text(st.characters(), max_size=80), st.none() | st.text(max_size=12))
def test_any_title_stays_a_label(title: str, language: str | None) -> None:
    hostile = sound("audio-1", title=title, language=language, default=False)
    [*_, last] = sets(manifest(placed(video()), placed(sound(), hostile), None))
    assert last.findtext(f"{NAMESPACE}Label")
    assert re.fullmatch(r"[A-Za-z0-9-]+", last.get("lang", "en"))


def test_twenty_minutes_of_even_segments_are_a_few_lines() -> None:
    """Sound's segments differ by a frame now and then, pictures' do not."""
    frames = [188 if n % 2 else 187 for n in range(300)]
    long = sound(ticks=[1024 * each for each in frames], sizes=[64_000] * 300)
    text = manifest(placed(video(ticks=[4 * CLOCK] * 300, sizes=[1_000_000] * 300)), placed(long), None)
    assert len(text) < 16_000
    assert len(timeline(text)) == 300
    assert sum(length for _, length in timeline(text, 1)) == 1024 * sum(frames)
    templates = read(text).findall(f".//{NAMESPACE}SegmentTemplate")
    assert [int(each.attrib["timescale"]) for each in templates] == [CLOCK, SOUND_CLOCK]


def test_texts_come_in_the_order_in_which_they_may_appear() -> None:
    videos, sounds = placed(*LADDER), placed(sound())
    assert list(of_tracks([*videos, *sounds])) == [
        *("1080p.m3u8", "720p.m3u8", "480p.m3u8", "audio.m3u8"),
        *("1080p-iframe.m3u8", "720p-iframe.m3u8", "480p-iframe.m3u8"),
    ]
    assert list(entrances(videos, sounds, Captions())) == ["captions.m3u8", "manifest.mpd", "master.m3u8"]
    assert list(entrances(videos, sounds, None)) == ["manifest.mpd", "master.m3u8"]
