"""Playlists: their exact text, and what a parser that is not ours reads in them."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipstream.transcode.made import Track
from clipstream.transcode.manifests.bandwidth import measured
from clipstream.transcode.manifests.captions import Captions
from clipstream.transcode.manifests.hls import captions_playlist, iframe_playlist, master_playlist, media_playlist
from clipstream.transcode.manifests.placed import Placed
from fixtures.tracks import CLOCK, LADDER, sound, video

PREFIX = "segments/0123456789ab/"


def golden(name: str) -> str:
    return (Path(__file__).parent / "golden" / name).read_text()


SOUNDS = (
    sound(),
    sound("audio-1", title="Game", default=False),
    sound("audio-2", title="Voice chat", language="eng", default=False, channels=1),
)


def test_a_media_playlist_is_this_text() -> None:
    assert media_playlist(Placed(video(), PREFIX)) == golden("720p.m3u8")


def test_an_iframe_playlist_is_this_text() -> None:
    assert iframe_playlist(Placed(video(), PREFIX)) == golden("720p-iframe.m3u8")


def test_a_multivariant_playlist_is_this_text() -> None:
    assert master_playlist(LADDER, SOUNDS, captions=Captions("en")) == golden("master.m3u8")


def test_a_captions_playlist_is_one_segment_as_long_as_the_clip() -> None:
    parsed = m3u8.loads(captions_playlist(1199.6, "captions.vtt"))
    assert [(segment.uri, segment.duration) for segment in parsed.segments] == [("captions.vtt", 1199.6)]
    assert (parsed.target_duration, parsed.is_endlist, parsed.segment_map) == (1200, True, [])


def test_another_parser_reads_the_same_of_a_media_playlist() -> None:
    parsed = m3u8.loads(media_playlist(Placed(video(), PREFIX)))
    assert [segment.uri for segment in parsed.segments] == [f"{PREFIX}720p-{n:05d}.m4s" for n in range(3)]
    assert [segment.duration for segment in parsed.segments] == [4.0, 4.0, 1.5]
    assert parsed.segment_map[0].uri == f"{PREFIX}720p-init.mp4"
    assert (parsed.is_endlist, parsed.playlist_type, parsed.version, parsed.target_duration) == (True, "vod", 7, 4)


def test_another_parser_reads_byte_ranges_of_key_pictures() -> None:
    parsed = m3u8.loads(iframe_playlist(Placed(video(), PREFIX)))
    assert parsed.is_i_frames_only
    assert parsed.segments[1].byterange == "100000@500000"
    assert sum(segment.duration for segment in parsed.segments) == 9.5


def test_another_parser_reads_the_same_of_a_multivariant_playlist() -> None:
    parsed = m3u8.loads(master_playlist(LADDER, SOUNDS, captions=Captions("en")))
    assert [each.uri for each in parsed.playlists] == ["720p.m3u8", "1080p.m3u8", "480p.m3u8"]
    first = parsed.playlists[0].stream_info
    assert (first.codecs, first.resolution, first.frame_rate) == ("avc1.640020,mp4a.40.2", (1280, 720), 60.0)
    assert (first.audio, first.subtitles, first.closed_captions) == ("audio", "captions", "NONE")
    assert [each.name for each in parsed.media] == ["Mix", "Game", "Voice chat", "Captions"]
    assert parsed.iframe_playlists[0].iframe_stream_info.resolution == (1920, 1080)
    assert parsed.is_independent_segments


def test_a_growing_playlist_is_played_from_its_beginning_and_has_no_end() -> None:
    text = media_playlist(Placed(video(), PREFIX), growing=True)
    parsed = m3u8.loads(text)
    assert (parsed.playlist_type, parsed.is_endlist, parsed.start.time_offset) == ("event", False, 0.0)


def test_a_growing_playlist_changes_only_at_its_end() -> None:
    first, later = video(ticks=[2 * CLOCK], sizes=[1]), video(ticks=[2 * CLOCK, 4 * CLOCK], sizes=[1, 1])
    texts = [media_playlist(Placed(track, PREFIX), growing=True, target_s=4) for track in (first, later)]
    texts.append(media_playlist(Placed(later, PREFIX), target_s=4))
    assert [m3u8.loads(text).target_duration for text in texts] == [4, 4, 4]
    assert [m3u8.loads(text).is_endlist for text in texts] == [False, False, True]
    assert texts[1].startswith(texts[0])
    assert texts[2].startswith(texts[1])


def test_silent_pictures_name_no_group() -> None:
    text = master_playlist(LADDER, (), captions=None)
    assert "AUDIO=" not in text
    assert "mp4a" not in text
    assert "SUBTITLES" not in text


def test_one_sound_without_pictures_is_the_variant() -> None:
    parsed = m3u8.loads(master_playlist((), (sound(),), captions=Captions("en")))
    [variant] = parsed.playlists
    assert (variant.uri, variant.stream_info.codecs, variant.stream_info.resolution) == (
        "audio.m3u8",
        "mp4a.40.2",
        None,
    )
    assert (variant.stream_info.audio, variant.stream_info.subtitles) == (None, "captions")
    assert parsed.iframe_playlists == []


def test_several_sounds_without_pictures_can_be_chosen() -> None:
    parsed = m3u8.loads(master_playlist((), SOUNDS, captions=None))
    [variant] = parsed.playlists
    assert (variant.uri, variant.stream_info.audio) == ("audio.m3u8", "audio")
    assert [each.uri for each in parsed.media] == ["audio.m3u8", "audio-1.m3u8", "audio-2.m3u8"]


def test_a_variant_of_sounds_alone_is_as_large_as_the_largest() -> None:
    large = sound("audio-1", sizes=(640_000, 880_000), codec="mp4a.40.5", default=False)
    [variant] = m3u8.loads(master_playlist((), (sound(), large), captions=None)).playlists
    assert variant.stream_info.bandwidth == measured(large).peak
    assert variant.stream_info.codecs == "mp4a.40.2,mp4a.40.5"


def test_a_clip_of_one_short_segment() -> None:
    blink = video("240p", ticks=[CLOCK // 60], sizes=[3000], size=(426, 240), gop=CLOCK)
    parsed = m3u8.loads(media_playlist(Placed(blink, "")))
    assert (parsed.target_duration, len(parsed.segments)) == (1, 1)
    text = master_playlist([blink], (), captions=None)
    [variant] = m3u8.loads(text).playlists
    assert variant.stream_info.bandwidth == variant.stream_info.average_bandwidth == 8 * 3000 * 60
    assert "SCORE" not in text


@pytest.mark.parametrize(
    ("names", "first"),
    [(("a",), "a"), (("a", "b"), "b"), (("a", "b", "c"), "b"), (("a", "b", "c", "d"), "c")],
    ids=["one", "two", "three", "four"],
)
def test_players_begin_with_the_middle(names: tuple[str, ...], first: str) -> None:
    videos = [
        video(name, size=(1920 // (n + 1), 1080 // (n + 1)), sizes=(9000 // (n + 1),) * 3)
        for n, name in enumerate(names)
    ]
    listed = [each.uri for each in m3u8.loads(master_playlist(videos, (), captions=None)).playlists]
    assert listed == [f"{first}.m3u8", *(f"{name}.m3u8" for name in names if name != first)]


def test_a_small_copy_of_the_source_still_scores_highest() -> None:
    source = video("source", size=(1920, 1080), sizes=(300_000, 200_000, 40_000))
    text = master_playlist([source, video("720p")], (), captions=None)
    listed = re.findall(r"BANDWIDTH=(\d+),AVER.*SCORE=([\d.]+).*\n(\S+)", text)
    assert [(uri, score) for _, score, uri in listed] == [("720p.m3u8", "1.0"), ("source.m3u8", "2.0")]
    assert int(listed[1][0]) < int(listed[0][0])


def test_uneven_groups_of_pictures_keep_their_lengths() -> None:
    """A copied source: key pictures where its encoder put them, on its own clock."""
    lengths = [375_375, 93_093, 450_450, 1001]
    source = video("source", ticks=lengths, sizes=[1] * 4, clock=90_000, gop=90_090)
    parsed = m3u8.loads(media_playlist(Placed(source, "")))
    assert [segment.duration for segment in parsed.segments] == [4.170833, 1.034367, 5.005, 0.011122]
    assert parsed.target_duration == 5
    keys = m3u8.loads(iframe_playlist(Placed(source, "")))
    assert sum(segment.duration for segment in keys.segments) == pytest.approx(sum(lengths) / 90_000, abs=1e-5)
    assert all(segment.duration >= 0.5 for segment in keys.segments[:-1])


def test_a_source_of_key_pictures_alone_is_listed_twice_a_second() -> None:
    every = video("source", ticks=[4 * CLOCK] * 5, sizes=[1_000_000] * 5, gop=CLOCK // 60)
    assert len(m3u8.loads(iframe_playlist(Placed(every, ""))).segments) == 40


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (Fraction(60000, 1001), "59.940"),
        (Fraction(24000, 1001), "23.976"),
        (Fraction(30), "30.000"),
        (Fraction(1), "1.000"),
    ],
    ids=["59.94", "23.976", "30", "1"],
)
def test_frame_rates_have_three_places(rate: Fraction, shown: str) -> None:
    assert f",FRAME-RATE={shown}," in master_playlist([video(rate=rate)], (), captions=None)


def test_every_codec_that_may_be_played_is_named() -> None:
    sounds = (sound(), sound("audio-1", codec="mp4a.40.5", default=False))
    [variant] = m3u8.loads(master_playlist([video()], sounds, captions=None)).playlists
    assert variant.stream_info.codecs == "avc1.640020,mp4a.40.2,mp4a.40.5"
    assert variant.stream_info.bandwidth == measured(video(), sounds).peak


@pytest.mark.parametrize("defaults", [(False, False), (True, True), (False, True)], ids=["none", "both", "second"])
def test_exactly_one_sound_plays_unasked(defaults: tuple[bool, bool]) -> None:
    sounds = [sound(f"audio-{n}", default=default) for n, default in enumerate(defaults)]
    media = m3u8.loads(master_playlist([video()], sounds, captions=None)).media
    assert sorted((each.default, each.autoselect) for each in media) == [("NO", "NO"), ("YES", "YES")]


def test_names_are_unique_and_untitled_sounds_have_some() -> None:
    titles = [None, "Game", "Game", "Game (2)", None, "Mix", "  "]
    sounds = [sound(f"audio-{n}", title=title, default=n == 0) for n, title in enumerate(titles)]
    names = [each.name for each in m3u8.loads(master_playlist([video()], sounds, captions=None)).media]
    assert names == ["Mix", "Game", "Game (2)", "Game (2) (2)", "Track 4", "Mix (2)", "Track 6"]
    assert m3u8.loads(master_playlist([video()], [sound()], captions=None)).media[0].name == "Main"


def assert_unharmed(title: str, language: str | None = None) -> None:
    """Whatever a title holds, the playlist has its lines and each its attributes, for readers of any taste in line breaks."""
    plain: list[Track] = [sound(), sound("audio-1", title="Game", default=False)]
    hostile = [sound(), sound("audio-1", title=title, language=language, default=False)]
    expected = master_playlist(LADDER, plain, captions=None)
    text = master_playlist(LADDER, hostile, captions=None)
    text.encode()
    assert len(text.splitlines()) == len(expected.splitlines())
    assert text.count('"') - text.count("LANGUAGE=") * 2 == expected.count('"')
    assert "{$" not in text
    parsed = m3u8.loads(text)
    assert [each.uri for each in parsed.media] == ["audio.m3u8", "audio-1.m3u8"]
    assert [each.default for each in parsed.media] == ["YES", "NO"]
    assert 0 < len(parsed.media[1].name) <= 60


@pytest.mark.parametrize(
    "title",
    [
        '",URI="https://example.org/x.m3u8",DEFAULT=YES,X="',
        "a\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttps://example.org/x.m3u8",
        "a\r\n\x0b\x0c\x1c\x85\u2028\u2029b",
        "{$TOKEN}{{$TOKEN}}",
        "\x00\x01\x7f\ud800\udfff\ufffe",
        "\u202eevil\u202c",
        "\\\"'`,=#",
        "x" * 5000,
        "🎮" * 100,
        "",
    ],
    ids=["quotes", "lines", "breaks", "variables", "controls", "bidi", "signs", "long", "wide", "empty"],
)
def test_hostile_titles_stay_names(title: str) -> None:
    assert_unharmed(title, title)


@given(st.text(st.characters(), max_size=80), st.none() | st.text(max_size=12))
def test_any_title_stays_a_name(title: str, language: str | None) -> None:
    assert_unharmed(title, language)


def test_twenty_minutes_stay_small() -> None:
    """Some 70 bytes a segment and 100 a key picture."""
    count = 300
    long = video(ticks=[4 * CLOCK] * count, sizes=[1_000_000] * count)
    assert len(media_playlist(Placed(long, PREFIX))) < 20_000
    assert len(iframe_playlist(Placed(long, PREFIX))) < 60_000
