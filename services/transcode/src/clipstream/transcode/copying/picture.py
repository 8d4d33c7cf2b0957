"""Copies the pictures of a source, GOP by GOP, and stops where a packet shows that they cannot be played as they are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from av.packet import Packet
from av.video.stream import VideoStream

from clipstream.common.contracts.media import VideoTrack
from clipstream.transcode.cmaf.fragments import Pictures, Sample, opening
from clipstream.transcode.cmaf.segments import Emit
from clipstream.transcode.copying import nal
from clipstream.transcode.copying.copyable import NotCopyable, check_stream, ticks
from clipstream.transcode.copying.track import CopiedTrack
from clipstream.transcode.made import Track
from clipstream.transcode.planned import SOURCE

MOST_GOP_S = 5.05
"""Five seconds, and a little for 59.94 pictures a second. A segment cannot be shorter than a GOP, nor a seek finer."""

LEAST_FRAGMENT_S = 0.5
"""Key pictures nearer to each other share a fragment: a source of nothing but key pictures stays a list of a few."""

MOST_GOP_BYTES = 64 << 20
"""What is held in memory. Five seconds at 100 Mbit/s."""


class CopiedPicture:
    """Takes the packets of one picture track in file order. `origin_s` is where the clip begins on the file's clock."""

    def __init__(self, stream: VideoStream, video: VideoTrack, scratch: Path, emit: Emit) -> None:
        self._description = check_stream(stream)
        clock = stream.time_base or Fraction(1)
        self._stream, self._video = stream, video
        self._files = CopiedTrack(scratch, SOURCE, ticks(clock), emit)
        self._factor = int(clock * self._files.timescale)
        self._origin = 0
        self._begun = self._left_out = False
        self._gop: list[Sample] = []
        self._times: set[int] = set()
        self._bytes = 0
        self._key = self._last = -1
        self._last_duration = 0

    @property
    def shown_s(self) -> float:
        return max(0, self._last) / self._files.timescale

    @property
    def track(self) -> Track:
        profile, compatibility, level = next(iter(self._description.sequences))[1:4]
        return Track(
            name=SOURCE,
            kind="video",
            codec=f"avc1.{profile:02x}{compatibility:02x}{level:02x}",
            timescale=self._files.timescale,
            init_file=self._files.init_file,
            segments=tuple(self._files.segments),
            width=self._video.width,
            height=self._video.height,
            frame_rate=self._video.frame_rate,
        )

    def begin(self, origin_s: Fraction) -> None:
        """Before the first packet."""
        self._origin = round(origin_s * self._files.timescale)

    def add(self, packet: Packet[VideoStream]) -> None:
        """Raises `NotCopyable`."""
        if packet.pts is None:
            raise NotCopyable("It does not say when each picture is shown.")
        if packet.is_discard:
            self._left_out = True
            return
        found = self._look(packet)
        shown = packet.pts * self._factor - self._origin if self._begun else 0  # sound that leads is heard to a picture
        self._begun = True
        if self._left_out and not found.idr:
            raise NotCopyable("Its edit list cuts into a run of pictures.")
        self._left_out = False
        if found.idr:
            self._begin_gop(shown)
        elif not self._gop:
            raise NotCopyable("It does not begin with a key picture.")
        elif shown <= self._key:
            raise NotCopyable("A picture is shown before the key picture that it follows.")
        if shown in self._times:
            raise NotCopyable("Two pictures are to be shown at the same time.")
        self._check_length(shown)
        self._keep(nal.packed(bytes(packet), self._description.length_bytes), shown, found.idr)
        if shown > self._last:
            self._last, self._last_duration = shown, (packet.duration or 0) * self._factor

    def finish(self) -> None:
        if not self._gop:
            raise NotCopyable("There is not one picture in it.")
        usual = round(self._files.timescale / max(1.0, self._video.frame_rate))
        ended = self._last + (self._last_duration or usual)
        self._check_length(ended)
        self._close_fragment(ended)
        self._files.finish()

    def _look(self, packet: Packet[VideoStream]) -> nal.Packet:
        if packet.is_corrupt:
            raise NotCopyable("It is damaged or breaks off.")
        if packet.has_sidedata("new_extradata"):
            raise NotCopyable("Its picture's parameters change midway.")
        try:
            found = nal.look(memoryview(packet), self._description.length_bytes)
        except ValueError as error:
            raise NotCopyable(f"It is damaged: there is {error}.") from error
        if packet.is_keyframe and not found.idr:
            raise NotCopyable(
                "Not every key picture is a clean start: pictures after it need some from before (open GOP)."
            )
        if not all(nal.known(self._description, unit) for unit in found.sets):
            raise NotCopyable("Its picture's parameters change midway.")
        return found

    def _begin_gop(self, shown: int) -> None:
        if self._gop and shown <= self._last:
            raise NotCopyable("Its pictures' times jump back.")
        if self._gop:
            self._check_length(shown)
            if shown - self._gop[0].pts >= LEAST_FRAGMENT_S * self._files.timescale:
                self._close_fragment(shown)
        elif not self._files.segments:
            self._open()
        self._key = shown

    def _open(self) -> None:
        context = self._stream.codec_context
        colour = (
            int(context.color_primaries),
            int(context.color_trc),
            int(context.colorspace),
            int(context.color_range == 2),
        )
        track = Pictures(context.width, context.height, self._description.avcc(), colour)
        self._files.open(opening(track, self._files.timescale))

    def _keep(self, data: bytes, shown: int, key: bool) -> None:
        self._bytes += len(data)
        if self._bytes > MOST_GOP_BYTES:
            raise NotCopyable(f"One of its GOPs is larger than {MOST_GOP_BYTES >> 20} MiB.")
        self._gop.append(Sample(data, shown, key))
        self._times.add(shown)

    def _check_length(self, until: int) -> None:
        if until - self._key > MOST_GOP_S * self._files.timescale:
            raise NotCopyable(f"Its key pictures are more than {MOST_GOP_S:.0f} seconds apart.")

    def _close_fragment(self, ended: int) -> None:
        self._files.add(self._gop, ended, key=True)
        self._gop, self._bytes = [], 0
        self._times.clear()
