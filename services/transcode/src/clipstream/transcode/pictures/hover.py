"""The hover preview: a few stretches of the clip as a small silent video, for lists that move under the pointer.

Which slots it shows follows from the plan alone. Pictures come as raw RGB from children that decoded untrusted files:
they are encoded here, and nothing of them is parsed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction

import av
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from clipstream.transcode.pictures.colour import BT709
from clipstream.transcode.pictures.storyboard import gathered, scaled, slot_at
from clipstream.transcode.planned import Plan

LONG_SIDE = 320
RATE = 12
STRETCHES, STRETCH_S = 4, 1.0
WHOLE_S = STRETCHES * STRETCH_S + 1.0
"""Clips up to this long are shown as they are."""

_MOOV_BYTES = 4096
"""Kept free at the file's beginning for its index, which takes about 12 bytes a picture beside 800 of its own."""


def preview_size(width: int, height: int) -> tuple[int, int]:
    """Of clips shown as `width` x `height`: even, at most `LONG_SIDE` a side."""
    return scaled(width, height, LONG_SIDE)


def preview_starts(duration_s: float) -> tuple[float, ...]:
    """Where the stretches begin, in seconds: the middles of equal parts of the clip, or its beginning where all is shown."""
    if duration_s <= WHOLE_S:
        return (0.0,)
    part_s = duration_s / STRETCHES
    return tuple(round((index + 0.5) * part_s - STRETCH_S / 2, 3) for index in range(STRETCHES))


def preview_slots(plan: Plan) -> list[int]:
    """The slot of each picture of the preview, in order. Slow clips have slots that come twice."""
    length_s = min(plan.duration_s, WHOLE_S) if len(plan.preview_at_s) == 1 else STRETCH_S
    count = max(1, round(length_s * RATE))
    return [slot_at(plan, start_s + index / RATE) for start_s in plan.preview_at_s for index in range(count)]


def compose_preview(made: Mapping[int, bytes], plan: Plan) -> bytes:
    """The preview as a file, from what each chunk's preview file holds, by the chunk's number."""
    return encode_preview(b"".join(gathered(made, preview_slots(plan), plan.preview, plan)), plan)


def encode_preview(frames: bytes, plan: Plan) -> bytes:
    """Raw RGB pictures of the plan's preview size as H.264 in an MP4 whose index comes first."""
    width, height = plan.preview
    made = io.BytesIO()
    options = {"moov_size": str(_MOOV_BYTES)}
    with av.open(made, "w", format="mp4", container_options=options) as output:
        stream = output.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "27", "profile": "high"})
        _describe(stream, width, height)
        reformatter = VideoReformatter()
        for number, start in enumerate(range(0, len(frames), width * height * 3)):
            frame = _frame(frames[start : start + width * height * 3], width, height, reformatter)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return made.getvalue()


def _describe(stream: VideoStream, width: int, height: int) -> None:
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base = Fraction(1, RATE)
    context.color_range = 1
    context.colorspace, context.color_primaries, context.color_trc = BT709.matrix, BT709.primaries, BT709.transfer
    context.thread_count = 1


def _frame(rgb: bytes, width: int, height: int, reformatter: VideoReformatter) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, "rgb24")
    [plane] = frame.planes
    row = width * 3
    lines = (rgb[start : start + row].ljust(plane.line_size, b"\0") for start in range(0, height * row, row))
    plane.update(b"".join(lines))
    return reformatter.reformat(
        frame,
        format="yuv420p",
        dst_colorspace=BT709.space,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
        threads=1,
    )
