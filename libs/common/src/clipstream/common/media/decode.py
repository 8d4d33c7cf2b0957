"""Decodes the chosen tracks of an opened file as far as they go, and counts what is lost. Never raises because of what a
file holds: stages decide how much damage is too much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

Frame = av.VideoFrame | av.AudioFrame


class Decoder:
    """Frames in file order. `lost` counts pictures that could not be decoded at all; those that the decoder concealed say
    so themselves (`is_corrupt`)."""

    def __init__(self, container: InputContainer, streams: Sequence[VideoStream | AudioStream]) -> None:
        self._container, self._streams = container, streams
        self.lost = 0
        for stream in streams:
            stream.codec_context.thread_type = "AUTO"

    def __iter__(self) -> Iterator[Frame]:
        return (frame for _, frame in self.by_track())

    def by_track(self) -> Iterator[tuple[int, Frame]]:
        """Each frame with the index of its track in the file."""
        packets = self._container.demux(*self._streams)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.InvalidDataError):  # a file that breaks off is played as far as it goes
                break
            if packet.size and isinstance(packet.stream, VideoStream | AudioStream):
                for frame in self._decode(packet.stream, packet):
                    yield packet.stream.index, frame
        for stream in self._streams:
            for frame in self._decode(stream, None):
                yield stream.index, frame

    def _decode(self, stream: VideoStream | AudioStream, packet: av.Packet[Any] | None) -> Iterator[Frame]:
        try:
            frames = stream.codec_context.decode(packet)
        except av.FFmpegError:
            self.lost += isinstance(stream, VideoStream) and packet is not None
            return
        for frame in frames:
            if packet is None and stream.time_base is not None:
                frame.time_base = stream.time_base  # emptied without a packet, PyAV does not know it
            yield frame
