"""Sources that cannot be played as they are: each is told why, in a sentence, as soon as it shows."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import pytest

from clipstream.transcode.copying.source import copy_source
from corpus import tiny
from integration.transcode.copies import BIT_RATE, X264, copied, small_clip, trim_head


def with_x264(**options: object) -> Callable[[Path], None]:
    """A clip of stripes; underscores in names of x264's own parameters are hyphens."""
    own = ":".join(f"{name.replace('_', '-')}={value}" for name, value in options.items())
    return lambda path: tiny.write(path, duration_s=3, options={**X264, "x264-params": own})


def rendered(**how: object) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        small_clip(path, seed=1, duration_s=2, **how)  # type: ignore[arg-type]

    return write


def trimmed(path: Path) -> None:
    trim_head(small_clip(path, seed=1, duration_s=6, gop=60), 1.5)


def changing(path: Path) -> None:
    """New parameter sets within the stream, which the container's header does not know."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=30, options={**X264, "g": "30"})
        video.width, video.height, video.pix_fmt = 160, 90, "yuv420p"
        output.start_encoding()
        later = av.CodecContext.create("libx264", "w")
        later.width, later.height, later.pix_fmt = 128, 72, "yuv420p"
        later.framerate, later.time_base, later.options = Fraction(30), Fraction(1, 30), {**X264, "g": "30"}
        for number, (encode, size) in enumerate(((video.encode, (160, 90)), (later.encode, (128, 72)))):
            for index in range(60):
                frame = av.VideoFrame(*size, "yuv420p")
                frame.pts, frame.time_base = 60 * number + index, Fraction(1, 30)
                send(output, video, encode(frame))
            send(output, video, encode(None))


def send(
    output: av.container.OutputContainer, stream: av.VideoStream, packets: Sequence[av.Packet[av.VideoStream]]
) -> None:
    for packet in packets:
        packet.stream = stream
        packet.time_base = Fraction(1, 30)
        output.mux(packet)


@pytest.mark.parametrize(
    ("name", "write", "reason"),
    [
        ("hevc.mp4", rendered(video_codec="libx265"), "Its picture is hevc, not H.264."),
        ("vp9.webm", rendered(), "Its picture is vp9, not H.264."),
        ("old.avi", rendered(), "AVI files do not say when a picture is shown."),
        ("deep.mp4", rendered(pixel_format="yuv420p10le"), "Its picture has 10 bits a sample, not 8."),
        ("wide.mp4", rendered(pixel_format="yuv444p"), "Its picture is yuv444p, not 4:2:0."),
        ("turned.mp4", rendered(rotation=90), "Its picture must be turned by 90°."),
        ("hdr.mp4", rendered(hdr=True), "Its picture is HDR."),
        ("fields.mp4", with_x264(tff=1), "interlaced"),
        ("marked.mp4", with_x264(fake_interlaced=1), "interlaced"),
        ("shape.mp4", with_x264(sar="4/3"), "Its pixels are not square (4:3)."),
        ("level.mp4", with_x264(level="5.2"), "Its H.264 level (5.2) is above 5.1."),
        ("open.mp4", with_x264(keyint=20, open_gop=1, bframes=2), "open GOP"),
        ("open.mkv", with_x264(keyint=20, open_gop=1, bframes=2), "open GOP"),
        ("trimmed.mp4", trimmed, "Its edit list cuts into a run of pictures."),
        ("changing.mp4", changing, "parameters change midway"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value and " " not in value else "",
)
def test_each_hindrance_is_told(tmp_path: Path, name: str, write: Callable[[Path], None], reason: str) -> None:
    write(tmp_path / name)
    copy = copied(tmp_path / name)
    assert reason in copy.made.verdict
    assert copy.made.verdict.startswith("The source cannot be played as it is. ")
    assert copy.made.tracks == ()
    assert not copy.made.ladder


def test_a_source_above_the_bit_rate_is_not_opened(tmp_path: Path) -> None:
    source = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=2)
    copy = copied(source, most_bit_rate=200_000)
    assert "more than the 0.2 that are sent as they are" in copy.made.verdict
    assert copy.emitted == ()


def test_key_pictures_too_far_apart_end_the_copy_where_it_shows(tmp_path: Path) -> None:
    """What was handed over by then is the caller's to withdraw."""
    pause = [*range(0, 9000, 100), *range(9000, 18000, 600)]
    tiny.write(tmp_path / "clip.mp4", times_ms=pause, fps=10, duration_s=18, options={**X264, "g": "10"})
    copy = copied(tmp_path / "clip.mp4")
    assert copy.made.verdict.endswith("Its key pictures are more than 5 seconds apart.")
    assert "source-00000.m4s" in copy.emitted
    assert copy.made.tracks == ()


def test_a_file_that_breaks_off_is_not_copied(tmp_path: Path) -> None:
    source = small_clip(
        tmp_path / "clip.mp4", seed=1, duration_s=4, gop=30, container_options={"movflags": "faststart"}
    )
    body = source.read_bytes()
    source.write_bytes(body[: len(body) * 8 // 10])
    copy = copied(source)
    assert copy.made.verdict.endswith("It is damaged or breaks off.")


def test_a_packet_whose_units_do_not_fill_it_is_told(tmp_path: Path) -> None:
    whole = small_clip(tmp_path / "whole.mp4", seed=1, duration_s=2, gop=30, audio=False)
    body = bytearray(whole.read_bytes())
    body[body.index(b"mdat") + 5] = 0x7F  # the first unit's length
    made = copy_source(
        io.BytesIO(body),
        scratch=tmp_path,
        media=copied(whole).media,
        most_bit_rate=BIT_RATE,
        emit=lambda _: None,
        progress=lambda _: None,
    )
    assert made.verdict.endswith("It is damaged: there is a packet that breaks off.")


def test_a_server_may_copy_nothing(tmp_path: Path) -> None:
    copy = copied(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=1), most_bit_rate=0)
    assert copy.made.verdict == "The source cannot be played as it is. This server never does that."
