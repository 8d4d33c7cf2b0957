"""A short recording that an encoder must make well before it is trusted with clips: every picture there, recognisable, and
closed GOPs exactly where they were asked for. A driver can fail at any of these. Runs in a caged child process."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from clipstream.common.errors import EncoderFailed
from clipstream.transcode.copying import nal
from clipstream.transcode.encoding.encoders import add_stream, codec_options, encoding
from clipstream.transcode.pictures.colour import BT709
from clipstream.transcode.planned import Rendition

WIDTH, HEIGHT = 320, 192
PICTURES = 30
GOPS, LONGEST_GOP = (0, 8, 15, 25), 10
"""Pictures at which a GOP must begin: unevenly, so that a habit of the encoder's own is seen."""

_RATE = Fraction(30)
_LENGTH_BYTES = 4
"""Before each NAL unit, as libav's muxer writes them."""
_MOST_DIFFERENT = 12.0
"""Mean difference of luma. A picture of another moment, or a green one, is further off; any real encoding is nearer."""


def try_encoder(*, encoder: str) -> int:
    """Let `encoder` make the recording and look at it. The number of its pictures, or `EncoderFailed` with what is wrong."""
    av.logging.set_level(None)
    return judge(record(encoder, codec_options(encoder, _rendition(), LONGEST_GOP, "veryfast")))


def record(encoder: str, options: dict[str, str], gops: Sequence[int] = GOPS) -> bytes:
    """The recording as an MP4 file, which has room for headers in one place only, as our init segments do."""
    body = io.BytesIO()
    with encoding(encoder), av.open(body, "w", format="mp4") as output:
        stream = add_stream(output, encoder, _rendition(), _RATE, BT709, LONGEST_GOP, options)
        for number in range(PICTURES):
            frame = av.VideoFrame.from_ndarray(_picture(number), format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, 1 / _RATE
            frame.pict_type = PictureType.I if number in gops else PictureType.NONE
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return body.getvalue()


def judge(recording: bytes) -> int:
    """How many pictures the recording has. `EncoderFailed` where it is not what was asked for."""
    try:
        gops = _gops(recording)
    except (FFmpegError, ValueError) as error:
        raise EncoderFailed("What the encoder made cannot be decoded.") from error
    starts = tuple(np.cumsum([0, *(len(gop) for gop in gops)])[:-1])
    if starts != GOPS:
        raise EncoderFailed(f"The encoder began closed GOPs at pictures {_listed(starts)} instead of {_listed(GOPS)}.")
    shown = [picture for gop in gops for picture in gop]
    if len(shown) != PICTURES:
        raise EncoderFailed(f"Of {PICTURES} pictures given to the encoder {len(shown)} could be decoded.")
    worst = max(float(np.abs(picture - _picture(number)).mean()) for number, picture in enumerate(shown))
    if worst > _MOST_DIFFERENT:
        raise EncoderFailed("The pictures that the encoder made are not the ones it was given.")
    return len(shown)


def _gops(recording: bytes) -> list[list[npt.NDArray[np.float32]]]:
    """The luma of every picture, each GOP decoded by itself: an open one lacks what it refers to."""
    gops: list[list[npt.NDArray[np.float32]]] = []
    with av.open(io.BytesIO(recording), "r") as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        starts = [index for index, packet in enumerate(packets) if nal.look(memoryview(packet), _LENGTH_BYTES).idr]
        for start, end in zip(starts, [*starts[1:], len(packets)], strict=True):
            decoder = VideoCodecContext.create("h264", "r")
            decoder.extradata = stream.codec_context.extradata
            frames = [frame for packet in (*packets[start:end], None) for frame in decoder.decode(packet)]
            gops.append([_luma(frame) for frame in frames if not frame.is_corrupt])
    return gops


def _luma(frame: av.VideoFrame) -> npt.NDArray[np.float32]:
    return frame.reformat(format="gray").to_ndarray().astype(np.float32)


def _picture(number: int) -> npt.NDArray[np.uint8]:
    """A ramp that moves eight pixels a picture."""
    ramp = (np.arange(WIDTH) + 8 * number) % 160 + 40
    return np.tile(ramp.astype(np.uint8), (HEIGHT, 1))


def _rendition() -> Rendition:
    return Rendition(name="trial", width=WIDTH, height=HEIGHT, max_bit_rate=4_000_000)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers) or "none"
