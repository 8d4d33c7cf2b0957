"""Encodes one rendition of one chunk as H.264 in closed GOPs, in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import count, pairwise
from pathlib import Path

import av
from av.packet import Packet
from av.video.frame import PictureType
from av.video.stream import VideoStream

from clipstream.transcode.chunking import SEGMENT_GOPS, gop_frames
from clipstream.transcode.cmaf.segments import WRITE_BUFFER, Emit, SegmentWriter
from clipstream.transcode.encoding.encoders import add_stream, codec_options, encoding, forced_keys
from clipstream.transcode.encoding.lane import Lane
from clipstream.transcode.encoding.timing import Shown
from clipstream.transcode.made import Track
from clipstream.transcode.pictures.colour import Colour
from clipstream.transcode.planned import ChunkPlan, Plan, Rendition

_FRAGMENTED = "cmaf+default_base_moof+skip_trailer+frag_keyframe+empty_moov"


class VideoLane(Lane[Shown]):
    """Encodes one rendition of one chunk. GOPs and segments begin where the chunk's plan says."""

    def __init__(
        self, rendition: Rendition, plan: Plan, chunk: ChunkPlan, colour: Colour, directory: Path, emit: Emit
    ) -> None:
        super().__init__(f"encode-{rendition.name}")
        self._rendition, self._rate = rendition, plan.frame_rate
        self._sink = SegmentWriter(
            directory, rendition.name, _boundaries(chunk, self._rate), emit, first=chunk.first_segment
        )
        flags = _FRAGMENTED + ("+frag_discont" if chunk.first_slot else "")  # else its times would begin at 0 again
        self._output = av.open(
            self._sink, "w", format="mp4", container_options={"movflags": flags}, buffer_size=WRITE_BUFFER
        )
        self._encoder, gop = plan.encoder, _longest_gop(chunk, self._rate)
        self._keys = forced_keys(plan.encoder, chunk.gops, gop)
        options = codec_options(plan.encoder, rendition, gop, plan.preset)
        self._stream = add_stream(self._output, plan.encoder, rendition, self._rate, colour, gop, options)

    @property
    def track(self) -> Track:
        """What was made; complete once the lane is closed."""
        sink, size = self._sink, self._rendition
        return Track(
            name=size.name,
            kind="video",
            codec=sink.codec,
            timescale=sink.timescale,
            init_file=sink.init_file,
            segments=tuple(sink.segments),
            width=size.width,
            height=size.height,
            frame_rate=float(self._rate),
        )

    def _take(self, item: Shown) -> None:
        for slot in range(item.first_slot, item.first_slot + item.slots):
            item.frame.pts, item.frame.time_base = slot, 1 / self._rate
            item.frame.duration = 1
            # Never what the source had: x264 would repeat its picture types.
            item.frame.pict_type = PictureType.I if slot in self._keys else PictureType.NONE
            with encoding(self._encoder):
                packets = self._stream.encode(item.frame)
            self._mux(packets)

    def _finish(self) -> None:
        with encoding(self._encoder):
            packets = self._stream.encode(None)
        self._mux(packets)
        self._output.close()
        self._sink.finish()

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            self._output.mux(packet)


def _boundaries(chunk: ChunkPlan, rate: Fraction) -> Iterator[Fraction]:
    """Where segments after the first begin, in seconds. The last chunk may go on for longer than its source promised."""
    for index in chunk.segments[1:]:
        yield chunk.gops[index] / rate
    if chunk.end_slot is None:
        last = chunk.gops[chunk.segments[-1]]
        yield from ((last + number * SEGMENT_GOPS * gop_frames(rate)) / rate for number in count(1))


def _longest_gop(chunk: ChunkPlan, rate: Fraction) -> int:
    """Pictures in the longest GOP of the chunk. Beyond the last planned one of the clip, GOPs have their usual length."""
    starts = (*chunk.gops, *(() if chunk.end_slot is None else (chunk.end_slot,)))
    return max((later - earlier for earlier, later in pairwise(starts)), default=gop_frames(rate))
