"""The sound of a source copy where browsers cannot play the source's own: decoded, made stereo at 48 kHz, encoded as AAC."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.packet import Packet

from clipstream.transcode.cmaf.segments import Emit
from clipstream.transcode.copying.copyable import NotCopyable
from clipstream.transcode.copying.sound import FRAME, LONGEST_WAIT, AacTrack
from clipstream.transcode.made import Track
from clipstream.transcode.sound.samples import BIT_RATE, SAMPLE_RATE, Samples, framed
from clipstream.transcode.sound.soundtrack import Soundtrack


class EncodedSound:
    """Takes the packets of one sound track. What comes before `begin` waits."""

    def __init__(self, stream: AudioStream, scratch: Path, emit: Emit, longest_s: float) -> None:
        self._stream, self._longest_s = stream, longest_s
        encoder: AudioCodecContext = av.CodecContext.create("aac", "w")
        encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, "stereo", "fltp"
        encoder.bit_rate, encoder.time_base = BIT_RATE, Fraction(1, SAMPLE_RATE)
        encoder.open()
        self._encoder = encoder
        self._track = AacTrack(scratch, emit, SAMPLE_RATE, 2, encoder.extradata or b"")
        self._soundtrack: Soundtrack | None = None
        self._waiting: list[Packet[AudioStream]] = []
        self._rest = np.zeros((2, 0), np.float32)
        self._sent = 0

    @property
    def track(self) -> Track | None:
        return self._track.track

    def begin(self, origin_s: Fraction) -> None:
        self._soundtrack = Soundtrack(float(origin_s), self._longest_s)
        for packet in self._waiting:
            self.add(packet)
        self._waiting.clear()

    def add(self, packet: Packet[AudioStream]) -> None:
        if self._soundtrack is not None:
            self._decode(self._soundtrack, packet)
            return
        self._waiting.append(packet)
        if len(self._waiting) > LONGEST_WAIT:
            raise NotCopyable("Its pictures stand too far behind its sound.")

    def finish(self) -> None:
        if self._soundtrack is not None:
            self._decode(self._soundtrack, None)
            self._encode(self._soundtrack.finish())
        if self._rest.shape[1]:
            self._send(self._rest)
        if self._sent:
            self._write(self._encoder.encode(None))
        self._track.finish()

    def _decode(self, soundtrack: Soundtrack, packet: Packet[AudioStream] | None) -> None:
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.FFmpegError:  # a packet that is damaged is silent
            return
        for frame in frames:
            if packet is None and self._stream.time_base is not None:
                frame.time_base = self._stream.time_base  # emptied without a packet, PyAV does not know it
            self._encode(soundtrack.add(frame))

    def _encode(self, sound: Iterable[Samples]) -> None:
        for samples in sound:
            self._rest = np.concatenate([self._rest, samples], axis=1)
            while self._rest.shape[1] >= FRAME:
                self._send(self._rest[:, :FRAME])
                self._rest = self._rest[:, FRAME:]

    def _send(self, samples: Samples) -> None:
        self._write(self._encoder.encode(framed(samples, self._sent)))
        self._sent += samples.shape[1]

    def _write(self, packets: list[Packet[AudioStream]]) -> None:
        for packet in packets:
            if packet.pts is not None and packet.size:
                self._track.add(packet.pts, bytes(packet))
