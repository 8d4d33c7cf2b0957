"""Encoders, a thread each: one per rendition and one for the sound. Frames go in through a bounded queue, segments come
out as files. libav releases the GIL while it encodes, so the threads run side by side."""

from __future__ import annotations

import os
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import PictureType
from av.video.stream import VideoStream

from clipstream.transcode.colour import Colour
from clipstream.transcode.plan import CRF, GOP_S, SEGMENT_GOPS, Rendition, gop_frames
from clipstream.transcode.playlists import AUDIO, Track
from clipstream.transcode.segments import SegmentWriter
from clipstream.transcode.sound import SAMPLE_RATE, Samples
from clipstream.transcode.timing import Shown

T = TypeVar("T")

QUEUED = 8
MAX_THREADS = 8
AUDIO_BIT_RATE = 128_000
AUDIO_FRAGMENT_S = 1
_WRITE_BUFFER = 1 << 17  # every write takes the GIL back; libav's 32 KiB would do so four times as often
_FRAGMENTED = "cmaf+default_base_moof+skip_trailer"


class Lane(ABC, Generic[T]):
    """A thread that takes items in order. An error in it is raised to whoever puts or closes."""

    def __init__(self, name: str) -> None:
        self._items: queue.Queue[T | None] = queue.Queue(QUEUED)
        self._error: BaseException | None = None
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._abandoned = error is not None
        self._items.put(None)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def put(self, item: T) -> None:
        if self._error is not None:
            raise self._error
        self._items.put(item)

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            self._guard(partial(self._take, item))
        self._guard(self._finish)

    def _guard(self, step: Callable[[], None]) -> None:
        """Do the next step, unless one before it failed or nobody wants the result any more."""
        if self._abandoned or self._error is not None:
            return
        try:
            step()
        except BaseException as error:  # carried to the other thread, which raises it
            self._error = error

    @abstractmethod
    def _take(self, item: T) -> None: ...

    @abstractmethod
    def _finish(self) -> None: ...


class VideoLane(Lane[Shown]):
    """Encodes one rendition as H.264 in closed GOPs of two seconds; segments are two GOPs long."""

    def __init__(self, rendition: Rendition, rate: Fraction, colour: Colour, preset: str, directory: Path) -> None:
        super().__init__(f"encode-{rendition.name}")
        self._rendition, self._rate = rendition, rate
        gop = gop_frames(rate)
        self._sink = SegmentWriter(directory, rendition.name, SEGMENT_GOPS * gop / rate)
        self._output = _output(self._sink, "frag_keyframe+empty_moov", {})
        self._stream = self._output.add_stream("libx264", rate=rate, options=_x264(rendition, gop, preset))
        _describe(self._stream, rendition, rate, colour, gop)

    @property
    def track(self) -> Track:
        """What was made; complete once the lane is closed."""
        sink, size = self._sink, self._rendition
        return Track(
            size.name, sink.codec, sink.init_file, tuple(sink.segments), size.width, size.height, float(self._rate)
        )

    def _take(self, item: Shown) -> None:
        for slot in range(item.first_slot, item.first_slot + item.slots):
            item.frame.pts, item.frame.time_base = slot, 1 / self._rate
            item.frame.duration = 1
            item.frame.pict_type = PictureType.NONE  # else x264 repeats the source's picture types
            self._mux(self._stream.encode(item.frame))

    def _finish(self) -> None:
        self._mux(self._stream.encode(None))
        self._output.close()
        self._sink.finish()

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            self._output.mux(packet)


class AudioLane(Lane[Samples]):
    """Encodes 48 kHz stereo samples as AAC. Segment starts stay within half a fragment of the picture's."""

    def __init__(self, segment_s: Fraction, directory: Path) -> None:
        super().__init__("encode-audio")
        self._sink = SegmentWriter(directory, AUDIO, segment_s, tolerance_s=Fraction(AUDIO_FRAGMENT_S, 2))
        # delay_moov: only a moov written after the first packet knows the encoder's priming and can edit it away.
        self._output = _output(self._sink, "delay_moov", {"frag_duration": str(AUDIO_FRAGMENT_S * 1_000_000)})
        self._stream = self._output.add_stream("aac", rate=SAMPLE_RATE, options={"b": str(AUDIO_BIT_RATE)})
        self._stream.layout = "stereo"
        self._sent = 0

    @property
    def track(self) -> Track | None:
        """What was made, or None where not one sample came."""
        sink = self._sink
        return Track(AUDIO, sink.codec, sink.init_file, tuple(sink.segments)) if sink.segments else None

    def _take(self, item: Samples) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(item), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, self._sent, Fraction(1, SAMPLE_RATE)
        self._sent += item.shape[1]
        self._mux(self._stream.encode(frame))

    def _finish(self) -> None:
        if self._sent:
            self._mux(self._stream.encode(None))
        self._output.close()
        self._sink.finish()

    def _mux(self, packets: list[Packet[AudioStream]]) -> None:
        for packet in packets:
            self._output.mux(packet)


def _output(sink: SegmentWriter, flags: str, options: dict[str, str]) -> OutputContainer:
    movflags = {"movflags": f"{_FRAGMENTED}+{flags}", **options}
    return av.open(sink, "w", format="mp4", container_options=movflags, buffer_size=_WRITE_BUFFER)


def _x264(rendition: Rendition, gop: int, preset: str) -> dict[str, str]:
    cap = rendition.max_bit_rate
    return {
        "preset": preset,
        "crf": str(CRF),
        "maxrate": str(cap),
        "bufsize": str(GOP_S * cap),
        "profile": "high",
        "x264-params": f"scenecut=0:open-gop=0:keyint={gop}:min-keyint={gop}",
    }


def _describe(stream: VideoStream, rendition: Rendition, rate: Fraction, colour: Colour, gop: int) -> None:
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = rendition.width, rendition.height, "yuv420p"
    context.time_base, context.framerate = 1 / rate, rate
    context.gop_size = gop
    context.sample_aspect_ratio = Fraction(1)
    # Not inherited from the frames; without them players guess, and differ.
    context.color_range, context.colorspace = 1, colour.matrix
    context.color_primaries, context.color_trc = colour.primaries, colour.transfer
    # PyAV's default is SLICE, which turns on x264's sliced threads: 1 % more bits for every two cores.
    context.thread_type = "FRAME"
    context.thread_count = min(MAX_THREADS, os.cpu_count() or 1)
