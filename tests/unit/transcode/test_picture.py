"""Patches of known colours through preparation and scaling, as every rendition gets them."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
import pytest

from clipstream.common.contracts.media import VideoTrack
from clipstream.transcode.pictures.colour import BT709, output_colour
from clipstream.transcode.pictures.picture import Preparation, Scaler
from clipstream.transcode.plan import doubles_rate
from corpus.patches import Triple, interlaced, middle, patch, ycc

ORANGE: Triple = (0.9, 0.5, 0.1)
COLOURS: tuple[Triple, ...] = (
    ORANGE,
    (0.1, 0.3, 0.8),
    (0.0, 0.6, 0.2),
    (1.0, 1.0, 1.0),
    (0.0, 0.0, 0.0),
    (0.4, 0.4, 0.4),
)


def track(**facts: object) -> VideoTrack:
    usual: dict[str, object] = {"index": 0, "codec": "h264", "pixel_format": "yuv420p", "width": 64, "height": 32}
    return VideoTrack.model_validate({**usual, "frame_rate": 30, **facts})


def prepared(video: VideoTrack, *frames: av.VideoFrame) -> list[av.VideoFrame]:
    preparation = Preparation(video)

    def run() -> Iterator[av.VideoFrame]:
        for frame in frames:
            yield from preparation(frame)
        yield from preparation.flush()

    return list(run())


def encoded(video: VideoTrack, frame: av.VideoFrame) -> tuple[int, ...]:
    """What an encoder would be given of it."""
    [ready] = prepared(video, frame)
    made = Scaler(32, 16, output_colour(video))(ready)
    assert (made.format.name, made.width, made.height) == ("yuv420p", 32, 16)
    return middle(made)


@pytest.mark.parametrize("rgb", COLOURS)
@pytest.mark.parametrize(
    ("pixel_format", "full"),
    [
        ("yuv420p", False),
        ("yuvj420p", True),
        ("yuv420p", True),
        ("yuvj422p", True),
        ("yuv422p", False),
        ("yuv444p", False),
        ("yuv420p10le", False),
        ("yuv422p10le", False),
        ("yuv444p12le", False),
    ],
)
@pytest.mark.parametrize(("matrix", "space"), [(1, "bt709"), (6, "smpte170m"), (5, "bt470bg")])
def test_every_layout_becomes_eight_bits_of_limited_range(
    rgb: Triple, pixel_format: str, full: bool, matrix: int, space: str
) -> None:
    video = track(pixel_format=pixel_format, color_space=space, color_range="pc" if full else "tv")
    frame = patch(rgb, pixel_format, tags=(2, 2, matrix), matrix=matrix, full=full)
    expected = ycc(rgb, matrix=matrix)
    assert encoded(video, frame) == pytest.approx(expected, abs=2), "its own matrix is kept, only the layout changes"


@pytest.mark.parametrize("rgb", COLOURS)
@pytest.mark.parametrize("pixel_format", ["gbrp", "gbrp10le"])
def test_rgb_becomes_bt709(rgb: Triple, pixel_format: str) -> None:
    video = track(pixel_format=pixel_format, color_space="gbr")
    assert output_colour(video) == BT709
    assert encoded(video, patch(rgb, pixel_format, tags=(2, 2, 0))) == pytest.approx(ycc(rgb, matrix=1), abs=2)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p10le"])
def test_frames_that_do_not_say_their_range_follow_the_facts(pixel_format: str, full: bool) -> None:
    video = track(pixel_format=pixel_format, color_space="bt709", color_range="pc" if full else None)
    frame = patch(ORANGE, pixel_format, tags=(1, 1, 1), full=full, says_range=False)
    assert encoded(video, frame) == pytest.approx(ycc(ORANGE, matrix=1), abs=2)


@pytest.mark.parametrize(("height", "matrix"), [(720, 1), (576, 6)])
def test_what_a_file_does_not_say_follows_from_the_clips_size(height: int, matrix: int) -> None:
    """Also where the frames at hand are smaller: facts decide, so that chunks cannot differ."""
    video = track(width=height * 16 // 9, height=height)
    frame = patch(ORANGE, "yuv420p", matrix=matrix, size=(height * 16 // 9, height))
    assert output_colour(video).matrix == matrix
    assert encoded(video, frame) == pytest.approx(ycc(ORANGE, matrix=matrix), abs=1)


@pytest.mark.parametrize(
    ("facts", "primaries", "transfer", "matrix"),
    [
        ({"color_space": "bt709", "color_primaries": "bt709", "color_transfer": "bt709"}, 1, 1, 1),
        ({"color_space": "bt709", "color_transfer": "iec61966-2-1"}, 1, 13, 1),
        ({"color_space": "smpte170m", "color_primaries": "smpte170m", "color_transfer": "smpte170m"}, 6, 6, 6),
        ({"color_space": "bt470bg", "color_primaries": "bt470bg", "color_transfer": "gamma28"}, 5, 5, 5),
        ({"color_space": "bt470bg"}, 5, 6, 5),
        ({"color_space": "smpte170m", "color_primaries": "bt709", "color_transfer": "bt709"}, 1, 1, 6),
        ({"color_space": "bt2020nc", "color_primaries": "bt2020", "color_transfer": "smpte2084"}, 1, 1, 1),
        ({"color_space": "bt2020nc", "color_primaries": "bt2020", "color_transfer": "arib-std-b67"}, 1, 1, 1),
        ({"color_space": "bt2020nc", "color_primaries": "bt2020", "color_transfer": "bt2020-10"}, 1, 1, 1),
        ({"color_space": "bt709", "color_primaries": "smpte432", "color_transfer": "bt709"}, 1, 1, 1),
        ({"color_space": "gbr", "pixel_format": "gbrp"}, 1, 1, 1),
        ({"color_space": "nonsense"}, 6, 6, 6),
        ({}, 6, 6, 6),
    ],
)
def test_tags_are_carried_over(facts: dict[str, object], primaries: int, transfer: int, matrix: int) -> None:
    colour = output_colour(track(**facts))
    assert (colour.primaries, colour.transfer, colour.matrix) == (primaries, transfer, matrix)


def test_plain_pictures_pass_untouched() -> None:
    frame = patch(ORANGE, "yuv420p", tags=(1, 1, 1))
    [ready] = prepared(track(color_space="bt709"), frame)
    assert ready is frame


@pytest.mark.parametrize(
    ("rate", "field_by_field"), [(25.0, True), (29.97, True), (30.0, True), (50.0, False), (59.94, False)]
)
def test_every_field_of_slow_interlaced_clips_becomes_a_picture(rate: float, field_by_field: bool) -> None:
    video = track(interlaced=True, frame_rate=rate)
    assert doubles_rate(video) is field_by_field
    made = prepared(video, *interlaced([patch(ORANGE, "yuv420p", tags=(1, 1, 1), slot=slot) for slot in range(5)]))
    step = 1 / 60 if field_by_field else 1 / 30
    assert [frame.time for frame in made] == pytest.approx(
        [index * step for index in range(10 if field_by_field else 5)]
    )


def test_progressive_pictures_of_an_interlaced_clip_stay_whole() -> None:
    video = track(interlaced=True)
    made = prepared(video, *(patch(ORANGE, "yuv420p", tags=(1, 1, 1), slot=slot) for slot in range(4)))
    assert [frame.time for frame in made] == pytest.approx([slot / 30 for slot in range(4)])
    assert not doubles_rate(track())


def test_a_change_of_shape_is_fitted_in_with_black_bars() -> None:
    video = track(width=160, height=90, color_space="bt709")
    tall = patch((1.0, 1.0, 1.0), "yuv420p", tags=(1, 1, 1), size=(60, 90))
    [ready] = prepared(video, tall)
    assert (ready.width, ready.height) == (160, 90)
    luma = ready.to_ndarray()[:90]
    assert np.all(luma[:, :45] == 16)
    assert np.all(luma[:, -45:] == 16)
    assert np.all(luma[4:-4, 56:104] >= 233)


@pytest.mark.parametrize("size", [(320, 180), (80, 45), (161, 90)])
def test_a_change_of_size_alone_is_left_to_the_scaler(size: tuple[int, int]) -> None:
    frame = patch(ORANGE, "yuv420p", tags=(1, 1, 1), size=size)
    [ready] = prepared(track(width=160, height=90, color_space="bt709"), frame)
    assert ready is frame


def test_changes_midway_lose_no_picture() -> None:
    """Another size, another layout, HDR for two pictures: one in, one out, in order, in the clip's colours."""
    video = track(width=64, height=32, color_space="bt709", color_primaries="bt709", color_transfer="bt709")
    frames = [
        patch(ORANGE, "yuv420p", tags=(1, 1, 1), slot=0),
        patch(ORANGE, "yuv420p", tags=(1, 1, 1), slot=1, size=(32, 32)),
        patch(ORANGE, "yuv420p10le", tags=(1, 1, 1), slot=2, size=(32, 32)),
        patch(ORANGE, "yuv420p10le", tags=(9, 16, 9), matrix=9, slot=3),
        patch(ORANGE, "yuv420p10le", tags=(9, 18, 9), matrix=9, slot=4),
        patch(ORANGE, "yuv444p", tags=(1, 1, 1), slot=5),
    ]
    made = prepared(video, *frames)
    assert [frame.pts for frame in made] == [0, 1, 2, 3, 4, 5]
    codes = [middle(Scaler(64, 32, BT709)(frame)) for frame in made]
    for index in (0, 1, 2, 5):
        assert codes[index] == pytest.approx(ycc(ORANGE, matrix=1), abs=2)
