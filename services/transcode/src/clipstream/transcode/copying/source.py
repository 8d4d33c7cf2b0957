"""Repackages a source for browsers without encoding its pictures again: one pass over the file, memory for one GOP.

Pure: reads one file object, writes files into one directory, answers with plain facts. Runs in a caged child process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from clipstream.common.contracts.media import MediaInfo
from clipstream.common.media.open import open_media, tracks
from clipstream.transcode.cmaf.segments import Emit
from clipstream.transcode.copying.copyable import NotCopyable, check_facts, ladder_fault, plain_aac
from clipstream.transcode.copying.picture import CopiedPicture
from clipstream.transcode.copying.sound import AacTrack, CopiedSound
from clipstream.transcode.made import SourceCopy, Track
from clipstream.transcode.planned import SOUND_LEADS_S

_SPARE_S = 60.0
"""Sound may go on for so long after what the file says is its end."""


class SoundOfCopy(Protocol):
    """Packets in, a track out. `begin` says where the clip begins on the file's own clock."""

    @property
    def track(self) -> Track | None: ...

    def begin(self, origin_s: Fraction) -> None: ...

    def add(self, packet: Packet[AudioStream]) -> None: ...

    def finish(self) -> None: ...


def copy_source(
    source: BinaryIO,
    *,
    scratch: Path,
    media: MediaInfo,
    most_bit_rate: int,
    emit: Emit,
    progress: Callable[[float], None],
) -> SourceCopy:
    """Copy the clip in `source`, or say why not. Where the reason shows only on the way, files were emitted already, and
    are the caller's to withdraw."""
    try:
        check_facts(media, most_bit_rate)
        with open_media(source) as container:
            return _Copy(container, media, scratch, emit, progress).run()
    except NotCopyable as reason:
        return SourceCopy(verdict=f"The source cannot be played as it is. {reason}")


class _Copy:
    """One pass over the file."""

    def __init__(
        self, container: InputContainer, media: MediaInfo, into: Path, emit: Emit, progress: Callable[[float], None]
    ) -> None:
        self._container, self._media, self._progress = container, media, progress
        chosen = tracks(container)
        self._picture_stream = chosen.video if media.video else None
        self._picture: CopiedPicture | None = None
        if chosen.video and media.video:
            self._picture = CopiedPicture(chosen.video, media.video, into, emit)
        heard = [stream for stream in chosen.audio if stream.index in {track.index for track in media.audio}]
        self._sound_stream = next((each for each in heard if each.disposition & Disposition.default), None) or next(
            iter(heard), None
        )
        self._sound = self._heard(self._sound_stream, into, emit) if self._sound_stream else None
        self._begun = False

    def run(self) -> SourceCopy:
        for packet in self._packets():
            if isinstance(packet.stream, VideoStream):
                if self._picture is not None:
                    self._add_picture(self._picture, packet)
            elif self._sound is not None:
                if not self._begun and self._picture is None:
                    self._begin(_start_s(packet.stream) or Fraction(0))
                self._sound.add(packet)
        if self._picture is not None:
            self._picture.finish()
        if self._sound is not None:
            self._sound.finish()
        self._progress(1.0)
        return self._made()

    def _packets(self) -> Iterator[Packet[Any]]:
        streams = [stream for stream in (self._picture_stream, self._sound_stream) if stream is not None]
        packets = self._container.demux(*streams)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                if isinstance(error, MemoryError):
                    raise
                raise NotCopyable("It is damaged or breaks off.") from error
            if packet.size and isinstance(packet.stream, VideoStream | AudioStream):
                yield packet

    def _heard(self, stream: AudioStream, into: Path, emit: Emit) -> SoundOfCopy:
        longest_s = self._media.duration_s + _SPARE_S
        if not plain_aac(stream):
            if self._picture is None:
                raise NotCopyable("It has no picture, and its sound is not plain AAC.")
            # numpy takes a tenth of a second to import
            from clipstream.transcode.copying.encodedsound import EncodedSound

            return EncodedSound(stream, into, emit, longest_s)
        context = stream.codec_context
        track = AacTrack(into, emit, stream.sample_rate, context.channels, context.extradata or b"")
        return CopiedSound(stream, track, longest_s)

    def _add_picture(self, picture: CopiedPicture, packet: Packet[VideoStream]) -> None:
        if not self._begun:
            if packet.pts is None:
                raise NotCopyable("It does not say when each picture is shown.")
            leads_s = -min((track.start_s for track in self._media.audio), default=0.0)
            first_s = packet.pts * packet.time_base
            self._begin(first_s - Fraction(leads_s) if leads_s > SOUND_LEADS_S else first_s)
        picture.add(packet)
        if self._media.duration_s:
            self._progress(min(1.0, picture.shown_s / self._media.duration_s))

    def _begin(self, origin_s: Fraction) -> None:
        self._begun = True
        if self._picture is not None:
            self._picture.begin(origin_s)
        if self._sound is not None:
            self._sound.begin(origin_s)

    def _made(self) -> SourceCopy:
        audio = self._sound.track if self._sound else None
        fault = ladder_fault(self._media.video) if self._media.video else None
        played = "The source is played as it is"
        return SourceCopy(
            verdict=f"{played}." if fault is None else f"{played}, but only until the ladder is there: {fault}.",
            video=self._picture.track if self._picture else None,
            audio=audio,
            ladder=self._picture is not None and fault is None,
        )


def _start_s(stream: AudioStream | VideoStream) -> Fraction | None:
    """Where a track begins on the file's own clock."""
    if stream.start_time is None or stream.time_base is None:
        return None
    return stream.start_time * stream.time_base
