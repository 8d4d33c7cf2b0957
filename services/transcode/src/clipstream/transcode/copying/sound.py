"""The sound of a source copy, AAC packets laid end to end: each holds 1024 samples. They are decoded only to know that
they can be: over a packet that cannot, browsers stop."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from clipstream.transcode.cmaf.fragments import Sample, Sound, opening
from clipstream.transcode.cmaf.segments import Emit
from clipstream.transcode.copying.copyable import NotCopyable
from clipstream.transcode.copying.track import CopiedTrack
from clipstream.transcode.made import Track
from clipstream.transcode.planned import SOURCE

FRAME = 1024
STEADY_S = 0.01
"""Containers round to milliseconds; a packet further off is one that is missing or too many."""

FRAGMENT_S = 1.0
TAIL_S = 0.4
"""A shorter end is no segment of its own. Players that reckon without the lead that an edit list takes off look for it that
much later than it is buffered: hls.js waits for ever for one that is about as short."""

LONGEST_WAIT = 3000
"""Packets kept while no picture has told where time begins: about a minute."""

_SILENCE = {1: bytes.fromhex("00c80080 2380"), 2: bytes.fromhex("210049900219002380")}
"""One packet of digital silence by channels (ISO/IEC 14496-3, 4.4.2.1: a channel element without spectral data)."""


class AacTrack:
    """Lays AAC packets end to end. Where the source left some out, silence stands in, so that all after it is in time."""

    def __init__(self, scratch: Path, emit: Emit, sample_rate: int, channels: int, config: bytes) -> None:
        self._files = CopiedTrack(scratch, f"{SOURCE}-audio", sample_rate, emit)
        self._rate, self._channels, self._config = sample_rate, channels, config
        self._lead: list[tuple[int, bytes]] = []
        self._open = False
        self._shift = 0
        self._next = 0
        self._fragment: list[Sample] = []

    @property
    def track(self) -> Track | None:
        if not self._files.segments:
            return None
        return Track(
            name=self._files.name,
            kind="audio",
            codec="mp4a.40.2",
            timescale=self._rate,
            init_file=self._files.init_file,
            segments=tuple(self._files.segments),
            channels=self._channels,
            sample_rate=self._rate,
        )

    def add(self, at: int, data: bytes) -> None:
        """`at` is the time of the packet's first sample, counted in samples from where the clip begins."""
        if at < 0 and not self._open:
            self._lead = [*self._lead[-1:], (at, data)]  # the one before is needed to decode it
            return
        if not self._open:
            self._begin(at)
        self._place(at + self._shift, data)

    def finish(self) -> None:
        if not self._open and self._lead:
            self._begin(0)
        if self._fragment:
            self._close_fragment(joins=self._next - self._fragment[0].pts < TAIL_S * self._rate)
        self._files.finish()

    def _begin(self, at: int) -> None:
        lead, self._lead, self._open = self._lead, [], True
        self._shift = -lead[0][0] if lead else 0
        skipped = Sound(self._rate, self._channels, self._config, self._shift)
        self._files.open(opening(skipped, self._rate))
        self._next = 0 if lead else at % FRAME
        for early, data in lead:
            self._place(early + self._shift, data)

    def _place(self, at: int, data: bytes) -> None:
        ahead = at - self._next
        if ahead < -STEADY_S * self._rate:
            return
        if ahead > STEADY_S * self._rate:
            self._fill(at, ahead // FRAME)
        self._append(self._next, data)

    def _fill(self, at: int, missing: int) -> None:
        """Silence right up to `at`; less than one packet of it is left to the packet before, which lasts longer."""
        silence = _SILENCE.get(self._channels)
        self._next = at - missing * FRAME if silence else at
        for _ in range(missing if silence else 0):
            self._append(self._next, silence or b"")

    def _append(self, at: int, data: bytes) -> None:
        if self._fragment and at - self._fragment[0].pts >= FRAGMENT_S * self._rate:
            self._close_fragment()
        self._fragment.append(Sample(data, at))
        self._next = at + FRAME

    def _close_fragment(self, *, joins: bool = False) -> None:
        self._files.add(self._fragment, self._next, key=False, joins=joins)
        self._fragment = []


class CopiedSound:
    """Takes the packets of one sound track. What comes before `begin` waits."""

    def __init__(self, stream: AudioStream, track: AacTrack, longest_s: float) -> None:
        self._clock, self._rate, self._track = stream.time_base or Fraction(1), stream.sample_rate, track
        self._decoder, self._channels = stream.codec_context, stream.codec_context.channels
        self._most = round(longest_s * self._rate)
        self._origin: Fraction | None = None
        self._waiting: list[tuple[int, bytes]] = []

    @property
    def track(self) -> Track | None:
        return self._track.track

    def begin(self, origin_s: Fraction) -> None:
        self._origin = origin_s
        for pts, data in self._waiting:
            self._place(pts, data, origin_s)
        self._waiting.clear()

    def add(self, packet: Packet[AudioStream]) -> None:
        if packet.pts is None:
            raise NotCopyable("It does not say when its sound is heard.")
        if packet.has_sidedata("new_extradata"):
            raise NotCopyable("Its sound's parameters change midway.")
        if self._origin is not None:
            self._place(packet.pts, self._sound(packet), self._origin)
            return
        self._waiting.append((packet.pts, self._sound(packet)))
        if len(self._waiting) > LONGEST_WAIT:
            raise NotCopyable("Its pictures stand too far behind its sound.")

    def finish(self) -> None:
        self._track.finish()

    def _sound(self, packet: Packet[AudioStream]) -> bytes:
        """The packet as it is, or silence for one that is damaged."""
        try:
            self._decoder.decode(packet)
        except FFmpegError:
            silence = _SILENCE.get(self._channels)
            if silence is None:
                raise NotCopyable("Its sound is damaged.") from None
            return silence
        return bytes(packet)

    def _place(self, pts: int, data: bytes, origin_s: Fraction) -> None:
        at = round((pts * self._clock - origin_s) * self._rate)
        if at > self._most:
            raise NotCopyable("Its sound's times run on past its end.")
        self._track.add(at, data)
