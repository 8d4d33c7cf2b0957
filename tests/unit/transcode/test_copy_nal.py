"""H.264 headers, against streams of a real encoder and bytes that are none."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import av
import pytest

from clipstream.transcode.copying import nal


def encoded(
    parameters: Mapping[str, object] | None = None, *, pictures: int = 3, header: bool = True
) -> tuple[bytes, list[bytes]]:
    """Codec data in start code form, and packets; `parameters` are x264's own."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 30), Fraction(30)
    own = ":".join(f"{name}={value}" for name, value in (parameters or {}).items())
    encoder.options = {"preset": "ultrafast", "x264-params": own}
    if header:
        encoder.flags |= 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER
    packets = []
    for number in range(pictures):
        frame = av.VideoFrame(64, 48, "yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 30)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    packets += [bytes(packet) for packet in encoder.encode(None)]
    return encoder.extradata or b"", packets


def test_codec_data_is_read_in_both_forms() -> None:
    extradata, _ = encoded()
    plain = nal.describe(extradata)
    assert plain.length_bytes == 0
    assert plain.complete
    record = nal.describe(plain.avcc())
    assert record.length_bytes == 4
    assert (record.sequences, record.pictures) == (plain.sequences, plain.pictures)


@pytest.mark.parametrize(
    ("parameters", "field", "value"),
    [
        ({}, "profile", 66),
        ({"cabac": 1}, "profile", 77),
        ({"8x8dct": 1}, "profile", 100),
        ({"level": "5.1"}, "level", 51),
        ({"level": "3"}, "level", 30),
        ({}, "progressive", True),
        ({"tff": 1}, "progressive", False),
        ({"sar": "4/3"}, "pixel_shape", Fraction(4, 3)),
        ({"sar": "1/1"}, "pixel_shape", Fraction(1)),
        ({"sar": "7/5"}, "pixel_shape", Fraction(7, 5)),
        ({}, "pixel_shape", Fraction(0)),
    ],
    ids=["baseline", "main", "high", "5.1", "3", "frames", "fields", "wide", "square", "own", "unsaid"],
)
def test_a_sequence_says_what_the_encoder_was_told(parameters: dict[str, object], field: str, value: object) -> None:
    [unit] = nal.describe(encoded(parameters)[0]).sequences
    assert getattr(nal.read_sequence(unit), field) == value


def test_x264_makes_one_slice_group() -> None:
    [unit] = nal.describe(encoded()[0]).pictures
    assert nal.slice_groups(unit) == 1


def test_the_first_picture_is_a_clean_start_and_the_next_are_not() -> None:
    _, packets = encoded()
    assert [nal.look(memoryview(packet), 0).idr for packet in packets] == [True, False, False]
    packed = [nal.packed(packet, 0) for packet in packets]
    assert [nal.look(memoryview(packet), 4).idr for packet in packed] == [True, False, False]
    assert nal.packed(packed[0], 4) is packed[0]


def test_a_recovery_point_is_no_clean_start() -> None:
    _, packets = encoded({"keyint": 10, "min-keyint": 10, "open-gop": 1, "bframes": 2}, pictures=40)
    assert sum(nal.look(memoryview(packet), 0).idr for packet in packets) < 4


def test_parameter_sets_in_a_packet_are_told_from_those_at_the_beginning() -> None:
    extradata, _ = encoded()
    description = nal.describe(extradata)
    _, same = encoded(header=False)
    _, other = encoded({"level": "4"}, header=False)
    assert nal.look(memoryview(same[0]), 0).sets
    assert all(nal.known(description, unit) for unit in nal.look(memoryview(same[0]), 0).sets)
    assert not all(nal.known(description, unit) for unit in nal.look(memoryview(other[0]), 0).sets)


@pytest.mark.parametrize(
    "packet",
    [b"", b"\0\0\0\x09\x65", b"\0\0\0\1\x06", b"\0\0\0\0", b"\xff\xff\xff\xff\x65", b"\0\0\0"],
    ids=["empty", "cut", "sei", "hollow", "huge", "stump"],
)
def test_a_packet_without_a_whole_picture_is_refused(packet: bytes) -> None:
    with pytest.raises(ValueError, match="a packet"):
        nal.look(memoryview(packet), 4)


@pytest.mark.parametrize("length", [7, 9, 12, 20])
def test_codec_data_that_breaks_off_is_refused(length: int) -> None:
    record = nal.describe(encoded()[0]).avcc()[:length]
    with pytest.raises(ValueError, match=r"breaks off|makes no sense"):
        [nal.read_sequence(unit) for unit in nal.describe(record).sequences]


@pytest.mark.parametrize("extradata", [b"", b"\1", b"\0\0\0\1", b"what is this?"], ids=["none", "one", "code", "text"])
def test_codec_data_that_is_none_says_nothing(extradata: bytes) -> None:
    assert not nal.describe(extradata).complete
