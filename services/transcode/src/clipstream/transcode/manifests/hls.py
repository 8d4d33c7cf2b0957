"""HLS playlists (RFC 8216bis, Apple's authoring specification) as text, from what was measured on the segments. No files,
no keys of a store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from clipstream.transcode.made import Span, Track
from clipstream.transcode.manifests.bandwidth import Rate, largest, measured, rate, target_duration
from clipstream.transcode.manifests.captions import Captions
from clipstream.transcode.manifests.labels import default_sound, label, language, sound_names
from clipstream.transcode.manifests.placed import Placed

CAPTIONS = "captions.m3u8"

_SOUND_GROUP = "audio"
_CAPTIONS_GROUP = "captions"
_VERSION = "#EXT-X-VERSION:7"
"""6 is what EXT-X-MAP asks for; Apple's validator wants one version in all, and 7 for fMP4."""

_KEYS_APART_S = Fraction(1, 2)
_RATES = 1001
"""The largest denominator of a frame rate: 60000/1001."""


def playlist_name(track: Track) -> str:
    return f"{track.name}.m3u8"


def iframe_name(track: Track) -> str:
    return f"{track.name}-iframe.m3u8"


def frame_rate(track: Track) -> Fraction:
    """Exact, where the track holds a float: 60000/1001 for 59.94."""
    return Fraction(track.frame_rate).limit_denominator(_RATES)


def media_playlist(placed: Placed, *, growing: bool = False, target_s: int = 0) -> str:
    """One track's playlist. With `target_s` it is one that grows or has grown: an event, whose target duration may not
    change (RFC 8216bis, 4.4.3.1) and so is one that later segments keep to. It says that it is to be played from its
    beginning, since players would start near its end otherwise. While `growing` it has no end."""
    track, event = placed.track, growing or target_s > 0
    target = max(target_s, target_duration((segment.duration for segment in track.segments), track.timescale))
    lines = [
        *_opening(target, "EVENT" if event else "VOD"),
        *(["#EXT-X-START:TIME-OFFSET=0"] if event else []),
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{placed.prefix}{track.init_file.name}"',
    ]
    for segment in track.segments:
        lines += [_lasting(segment.duration, track), placed.prefix + segment.file.name]
    return _text(lines, ended=not growing)


def iframe_playlist(placed: Placed) -> str:
    """The key pictures of a track, as byte ranges of its segments: for pictures while seeking and playing fast."""
    track = placed.track
    keys = _keys(track)
    lines = [
        *_opening(target_duration((ticks for ticks, _, _ in keys), track.timescale), "VOD"),
        "#EXT-X-I-FRAMES-ONLY",
        f'#EXT-X-MAP:URI="{placed.prefix}{track.init_file.name}"',
    ]
    for ticks, span, file in keys:
        lines += [_lasting(ticks, track), f"#EXT-X-BYTERANGE:{span.size_bytes}@{span.offset}", placed.prefix + file]
    return _text(lines)


def captions_playlist(duration_s: float, uri: str) -> str:
    """One WebVTT segment of the whole length."""
    target = target_duration([round(duration_s * 1000)], 1000)
    return _text([*_opening(target, "VOD"), f"#EXTINF:{max(duration_s, 0.001):.6f},", uri])


def master_playlist(videos: Sequence[Track], sounds: Sequence[Track], *, captions: Captions | None) -> str:
    """The multivariant playlist: one variant for each of `videos`, or the sound alone where there are none."""
    lines = ["#EXTM3U", _VERSION, "#EXT-X-INDEPENDENT-SEGMENTS"]
    grouped = sounds if videos or len(sounds) > 1 else ()
    lines += _sound_renditions(grouped)
    lines += _captions_rendition(captions)
    ranked = _ranked(videos)
    for track in _offered(ranked):
        attributes = [*_quality(measured(track, sounds), [track, *sounds]), *_picture(track)]
        attributes += [f"SCORE={ranked.index(track) + 1}.0"] if len(ranked) > 1 else []
        lines += [_variant([*attributes, *_groups(grouped, captions)]), playlist_name(track)]
    if sounds and not videos:
        variant = _variant([*_quality(largest(sounds), sounds), *_groups(grouped, captions)])
        lines += [variant, playlist_name(sounds[default_sound(sounds)])]
    lines += [_iframe_variant(track) for track in reversed(ranked) if _keys(track)]
    return "\n".join([*lines, ""])


def _ranked(videos: Sequence[Track]) -> list[Track]:
    """From worst to best. The picture's size counts before its bit rate: a copied source can take fewer bits than what was
    encoded from it, and SCORE keeps players that look at the bit rate alone from preferring the smaller picture."""
    return sorted(videos, key=lambda track: (track.width * track.height, measured(track).peak))


def _offered(ranked: Sequence[Track]) -> list[Track]:
    """The best first, but before all of them the middle one (of two, the lower): players begin with the first that is
    listed. AVPlayer plays it, hls.js takes its bit rate for a first guess of the connection, and chooses by that. The lowest
    would begin blurred on nearly every connection, the highest would stall on a slow one."""
    if not ranked:
        return []
    first = ranked[(len(ranked) - 1) // 2]
    return [first, *(track for track in reversed(ranked) if track is not first)]


def _quality(measure: Rate, tracks: Sequence[Track]) -> list[str]:
    """Of everything that may be played together, one sound at a time."""
    codecs = dict.fromkeys(track.codec for track in tracks)
    return [*_rates(measure), f'CODECS="{",".join(codecs)}"']


def _rates(measure: Rate) -> list[str]:
    return [f"BANDWIDTH={measure.peak}", f"AVERAGE-BANDWIDTH={measure.average}"]


def _picture(track: Track) -> list[str]:
    return [f"RESOLUTION={track.width}x{track.height}", f"FRAME-RATE={float(frame_rate(track)):.3f}", "VIDEO-RANGE=SDR"]


def _groups(sounds: Sequence[Track], captions: Captions | None) -> list[str]:
    groups = [f'AUDIO="{_SOUND_GROUP}"'] if sounds else []
    groups += [f'SUBTITLES="{_CAPTIONS_GROUP}"'] if captions else []
    return [*groups, "CLOSED-CAPTIONS=NONE"]


def _variant(attributes: Iterable[str]) -> str:
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def _iframe_variant(track: Track) -> str:
    pieces = [(ticks, span.size_bytes) for ticks, span, _ in _keys(track)]
    attributes = [
        *_rates(rate(pieces, track.timescale)),
        f'CODECS="{track.codec}"',
        f"RESOLUTION={track.width}x{track.height}",
        "VIDEO-RANGE=SDR",
        f'URI="{iframe_name(track)}"',
    ]
    return "#EXT-X-I-FRAME-STREAM-INF:" + ",".join(attributes)


def _sound_renditions(sounds: Sequence[Track]) -> list[str]:
    """The default is the only one that a player may choose by itself: nobody hears a microphone alone unasked."""
    default = default_sound(sounds)
    return [
        _rendition(
            "AUDIO",
            _SOUND_GROUP,
            name,
            language(sound.language),
            default=number == default,
            automatic=number == default,
            rest=[*([f'CHANNELS="{sound.channels}"'] if sound.channels else []), f'URI="{playlist_name(sound)}"'],
        )
        for number, (sound, name) in enumerate(zip(sounds, sound_names(sounds), strict=True))
    ]


def _captions_rendition(captions: Captions | None) -> list[str]:
    if captions is None:
        return []
    name, spoken, rest = label(captions.name), language(captions.language), [f'URI="{CAPTIONS}"']
    return [_rendition("SUBTITLES", _CAPTIONS_GROUP, name, spoken, default=False, automatic=True, rest=rest)]


def _rendition(
    kind: str, group: str, name: str, spoken: str | None, *, default: bool, automatic: bool, rest: list[str]
) -> str:
    attributes = [f"TYPE={kind}", f'GROUP-ID="{group}"', f'NAME="{name}"']
    attributes += [f'LANGUAGE="{spoken}"'] if spoken else []
    attributes += [f"DEFAULT={'YES' if default else 'NO'}", f"AUTOSELECT={'YES' if automatic else 'NO'}"]
    return "#EXT-X-MEDIA:" + ",".join([*attributes, *rest])


def _keys(track: Track) -> list[tuple[int, Span, str]]:
    """(ticks until the next one, its place in the file, the file) of key pictures at least half a second apart: a source in
    which every picture is a key would fill megabytes with their names."""
    kept: list[tuple[Span, str]] = []
    for segment in track.segments:
        for span in segment.keys:
            if not kept or span.start - kept[-1][0].start >= _KEYS_APART_S * track.timescale:
                kept.append((span, segment.file.name))
    if not kept:
        return []
    end = track.segments[-1].start + track.segments[-1].duration
    ends = [*(span.start for span, _ in kept[1:]), end]
    return [(until - span.start, span, file) for (span, file), until in zip(kept, ends, strict=True)]


def _opening(target: int, kind: str) -> list[str]:
    return [
        "#EXTM3U",
        _VERSION,
        f"#EXT-X-TARGETDURATION:{target}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{kind}",
    ]


def _lasting(ticks: int, track: Track) -> str:
    return f"#EXTINF:{ticks / track.timescale:.6f},"


def _text(lines: Sequence[str], *, ended: bool = True) -> str:
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else []), ""])
