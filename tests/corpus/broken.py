"""Every bad and odd upload that the pipeline has to survive, and how each must end. `CASES[name].build(path, lure)` writes it.

A lure is what a hostile playlist points at: a playable file next door and a URL that listens. Neither may ever be touched."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import Literal

import av

from corpus import tiny

Outcome = Literal["ready", "rejected"]


@dataclass(frozen=True)
class Lure:
    """What must not be read: a media file of somebody else, and an address that would notice a request."""

    file: Path = Path("/nowhere/victim.ts")
    url: str = "http://127.0.0.1:9/victim.ts"


@dataclass(frozen=True)
class Case:
    """One upload. `reason`: words that the uploader's sentence holds where the outcome is `rejected`."""

    filename: str
    build: Callable[[Path, Lure], None]
    outcome: Outcome
    reason: str = ""


def victim(path: Path) -> None:
    """A file that plays: what a lure points at."""
    tiny.write(path, duration_s=1, audio=None)


def _bytes(body: bytes) -> Callable[[Path, Lure], None]:
    return lambda path, lure: void(path.write_bytes(body))


def _text(template: str) -> Callable[[Path, Lure], None]:
    """Text that names the lure: `{file}`, `{name}` (relative), `{url}`."""
    return lambda path, lure: void(
        path.write_text(template.format(file=lure.file, name=lure.file.name, url=lure.url), "utf-8")
    )


def _clip(**how: object) -> Callable[[Path, Lure], None]:
    return lambda path, lure: tiny.write(path, **how)  # type: ignore[arg-type]


def void(_: object) -> None:
    return None


def _cut(suffix: str, share: float, **how: object) -> Callable[[Path, Lure], None]:
    """The first `share` of a sound file."""

    def build(path: Path, lure: Lure) -> None:
        whole = path.with_name(f"{path.stem}-whole{suffix}")
        tiny.write(whole, **how)  # type: ignore[arg-type]
        body = whole.read_bytes()
        whole.unlink()
        path.write_bytes(body[: int(len(body) * share)])

    return build


def _bomb(*, hidden: bool) -> Callable[[Path, Lure], None]:
    """A 4 MB AVI whose one picture takes 16000 x 16000 pixels to decode. Hidden: the container claims 16 x 16.

    A grey JPEG of one block is encoded, its block (32 bits, with the standard Huffman tables) repeated a million times.
    """
    side, block = 16000, bytes.fromhex("28a28a00")

    def build(path: Path, lure: Lure) -> None:
        small = BytesIO()
        tiny.write(path, size=(16, 16), duration_s=1, fps=1, video="mjpeg", pixel_format="yuvj420p", audio=None)
        with av.open(str(path)) as container:
            small.write(bytes(next(container.demux(video=0))))
        jpeg = small.getvalue()
        frame_header = jpeg.index(b"\xff\xc0") + 5
        scan = jpeg.index(b"\xff\xda")
        scan += 2 + int.from_bytes(jpeg[scan + 2 : scan + 4])
        head = jpeg[:frame_header] + struct.pack(">HH", side, side) + jpeg[frame_header + 4 : scan]
        picture = head.replace(_huffman_tables(jpeg), _STANDARD_TABLES) + block * (side // 16) ** 2 + b"\xff\xd9"
        path.write_bytes(_avi(picture, 16 if hidden else side))

    return build


def _huffman_tables(jpeg: bytes) -> bytes:
    start = jpeg.index(b"\xff\xc4")
    end = start
    while jpeg[end : end + 2] == b"\xff\xc4":
        end += 2 + int.from_bytes(jpeg[end + 2 : end + 4])
    return jpeg[start:end]


def _table(kind: int, counts: str, symbols: bytes) -> bytes:
    body = bytes([kind]) + bytes.fromhex(counts) + symbols
    return b"\xff\xc4" + struct.pack(">H", len(body) + 2) + body


# Enough of the tables of JPEG's annex K to spell "same as before" (00) and "end of block" (1010 light, 00 colour).
_STANDARD_TABLES = (
    _table(0x00, "00010501010101010100000000000000", bytes(range(12)))
    + _table(0x01, "00030101010101010101010000000000", bytes(range(12)))
    + _table(0x10, "00020103000000000000000000000000", bytes([1, 2, 3, 0, 4, 0x11]))
    + _table(0x11, "00020000000000000000000000000000", bytes([0, 1]))
)


def _avi(picture: bytes, side: int) -> bytes:
    """A minimal AVI of one JPEG, shown for a second."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)

    header = struct.pack("<14I", 1_000_000, 0, 0, 0x10, 1, 0, 1, len(picture), side, side, 0, 0, 0, 0)
    stream = struct.pack(
        "<4s4sIHHIIIIIIII4H", b"vids", b"MJPG", 0, 0, 0, 0, 1, 1, 0, 1, len(picture), 0, 0, 0, 0, side, side
    )
    form = struct.pack("<IiiHH4sIiiII", 40, side, side, 1, 24, b"MJPG", side * side * 3, 0, 0, 0, 0)
    lists = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", form))
    movie = chunk(b"LIST", b"movi" + chunk(b"00dc", picture))
    index = chunk(b"idx1", struct.pack("<4sIII", b"00dc", 0x10, 4, len(picture)))
    return chunk(b"RIFF", b"AVI " + chunk(b"LIST", b"hdrl" + chunk(b"avih", header) + lists) + movie + index)


_GAPS = random.Random(7).choices((17, 33, 50), k=40)
_JITTER = [0, *accumulate(_GAPS)]
_FASTSTART = {"movflags": "faststart"}
_HLS = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:4.0,\n{}\n#EXT-X-ENDLIST\n"
_MPD = (
    '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet '
    'mimeType="video/mp4"><Representation id="1"><BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>\n'
)

CASES: dict[str, Case] = {
    "zero_bytes": Case("empty.mp4", _bytes(b""), "rejected", "empty"),
    "text": Case("notes.mp4", _bytes(b"Dear diary, today we won.\n" * 40), "rejected", "but text"),
    "random_bytes": Case("noise.mp4", _bytes(random.Random(1).randbytes(200_000)), "rejected", "not a media file"),
    "picture": Case("shot.mp4", _bytes(b"\x89PNG\r\n\x1a\n" + bytes(100)), "rejected", "PNG picture"),
    "hls_local_file": Case("hls.mp4", _text(_HLS.format("{file}")), "rejected", "HLS playlist"),
    "hls_relative_file": Case("hls.mp4", _text(_HLS.format("{name}")), "rejected", "HLS playlist"),
    "hls_file_url": Case("hls.mp4", _text(_HLS.format("file://{file}")), "rejected", "HLS playlist"),
    "hls_url": Case("hls.mp4", _text(_HLS.format("{url}")), "rejected", "HLS playlist"),
    "ffconcat_local_file": Case("cat.mp4", _text("ffconcat version 1.0\nfile '{file}'\n"), "rejected", "list of files"),
    "ffconcat_relative_file": Case(
        "cat.mp4", _text("ffconcat version 1.0\nfile {name}\n"), "rejected", "list of files"
    ),
    "ffconcat_url": Case("cat.mp4", _text("ffconcat version 1.0\nfile '{url}'\n"), "rejected", "list of files"),
    "sdp": Case(
        "net.mp4",
        _text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"),
        "rejected",
        "SDP",
    ),
    "mpd": Case("dash.mp4", _text(_MPD), "rejected", "DASH manifest"),
    "srt": Case("words.mp4", _bytes(b"1\n00:00:00,000 --> 00:00:02,000\nhello\n"), "rejected", "but text"),
    "moov_missing": Case("cut.mp4", _cut(".mp4", 0.7, duration_s=2), "rejected", "cut off"),
    "moov_only": Case(
        "cut.mp4", _cut(".mp4", 0.3, duration_s=4, audio=None, container_options=_FASTSTART), "rejected", "cut off"
    ),
    "mp4_cut_late": Case(
        "cut.mp4", _cut(".mp4", 0.85, duration_s=4, audio=None, container_options=_FASTSTART), "ready"
    ),
    "mkv_cut": Case("cut.mkv", _cut(".mkv", 0.6, duration_s=4), "ready"),
    "flv_cut": Case("cut.flv", _cut(".flv", 0.6, duration_s=4), "ready"),
    "no_video": Case("sound.mp4", _clip(size=None), "ready"),
    "no_audio": Case("silent.mp4", _clip(audio=None), "ready"),
    "neither": Case("words.mkv", lambda path, lure: _only_subtitles(path), "rejected", "neither picture nor sound"),
    "too_short": Case("blink.mp4", _clip(duration_s=0.2), "rejected", "too short"),
    "one_frame": Case("frame.mp4", _clip(duration_s=1 / 30, audio=None), "rejected", "too short"),
    "too_long": Case("film.mkv", _clip(size=(64, 48), duration_s=1290, fps=1, audio=None), "rejected", "too long"),
    "one_pixel": Case("dot.mkv", _clip(size=(1, 1), video="ffv1", pixel_format="yuv444p"), "rejected", "too small"),
    "smallest": Case("small.mp4", _clip(size=(16, 16)), "ready"),
    "odd_sizes": Case("odd.mp4", _clip(size=(321, 241), pixel_format="yuv444p"), "ready"),
    "bomb": Case("bomb.avi", _bomb(hidden=False), "rejected", "larger than 8K"),
    "bomb_hidden": Case("bomb.avi", _bomb(hidden=True), "rejected", "larger than 8K"),
    "rotated": Case("phone.mp4", _clip(rotation=-90), "ready"),
    "variable_frame_rate": Case("vfr.mkv", _clip(times_ms=_JITTER, duration_s=1.3), "ready"),
    "ten_bit": Case("deep.mp4", _clip(pixel_format="yuv420p10le"), "ready"),
    "sixty_tracks": Case(
        "choir.mkv",
        _clip(size=(64, 48), audio="pcm_s16le", audio_tracks=59, duration_s=0.2),
        "rejected",
        "more than 32 tracks",
    ),
    "sixty_tracks_mp4": Case(
        "choir.mp4", _clip(size=(64, 48), audio_tracks=59, duration_s=0.2), "rejected", "more than 32 tracks"
    ),
    "six_tracks": Case("obs.mkv", _clip(audio_tracks=6), "ready"),
    "unsupported_codec": Case("magic.avi", _clip(video="magicyuv", pixel_format="gbrp"), "rejected", "magicyuv"),
    "thousand_pictures_a_second": Case("fast.mkv", _clip(size=(32, 32), fps=1000), "rejected", "pictures a second"),
    "mp3": Case("song.mp3", _clip(size=None, audio="libmp3lame"), "ready"),
    "wav": Case("song.wav", _clip(size=None, audio="pcm_s16le"), "ready"),
    "flac": Case("song.flac", _clip(size=None, audio="flac"), "ready"),
    "ogg": Case("song.ogg", _clip(size=None, audio="libopus"), "ready"),
    "aac": Case("song.aac", _clip(size=None), "ready"),
    "m4a": Case("song.m4a", _clip(size=None), "ready"),
    "webm": Case("clip.webm", _clip(video="libvpx-vp9", audio="libopus"), "ready"),
    "wmv": Case("clip.wmv", _clip(video="wmv2", audio="wmav2"), "ready"),
    "avi": Case("clip.avi", _clip(video="mpeg4", audio="libmp3lame"), "ready"),
    "flv": Case("clip.flv", _clip(), "ready"),
    "mov": Case("clip.mov", _clip(), "ready"),
    "fragmented_mp4": Case("frag.mp4", _clip(container_options={"movflags": "frag_keyframe+empty_moov"}), "ready"),
    "misnamed": Case("really_matroska.mp4", lambda path, lure: _renamed(path, ".mkv"), "ready"),
}


def _only_subtitles(path: Path) -> None:
    """Matroska with one text track and nothing else, remuxed from subtitles in their own format."""
    words = BytesIO(b"1\n00:00:00,000 --> 00:00:02,000\nhello\n")
    with av.open(words, "r", format="srt") as source, av.open(str(path), "w") as container:
        copied = container.add_stream_from_template(source.streams[0])
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copied
                container.mux(packet)


def _renamed(path: Path, suffix: str) -> None:
    real = path.with_suffix(suffix)
    tiny.write(real)
    real.rename(path)
