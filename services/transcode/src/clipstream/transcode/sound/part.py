"""The part of a plan that is all sound: every track of the clip and the mix of them. One pass over the file.

Pure: reads one file object, writes files into one directory, answers with plain facts. Runs in a caged child process.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard

from clipstream.common.contracts.media import AudioTrack
from clipstream.common.media.decode import Decoder
from clipstream.common.media.open import open_media, tracks
from clipstream.transcode.cmaf.segments import Emit
from clipstream.transcode.made import PartMade
from clipstream.transcode.planned import Plan
from clipstream.transcode.sound.samples import SAMPLE_RATE
from clipstream.transcode.sound.soundtrack import Soundtrack
from clipstream.transcode.sound.tracks import OneTrack, SeveralTracks, SoundTracks

MOST_TRACKS = 8
"""Recorders make up to six. Each costs a decoder and an encoder, and a file may claim dozens."""

Heard = list[tuple[AudioStream, AudioTrack]]


def encode_sound(
    source: BinaryIO, *, scratch: Path, plan: Plan, emit: Emit, progress: Callable[[float], None]
) -> PartMade:
    """Encode all sound of the clip in `source`; nothing where it has none that can be decoded or the plan wants none.

    Of several tracks the mix comes first and is the default; one that already is the mix of the others is taken for it.
    Files of a clip's only track are handed over on the way, those of several at the end; they take 16 kB of `scratch` for
    each second and track until then.
    """
    listed = plan.media.audio if plan.sound else ()
    if not listed:
        return PartMade(tracks=())
    with open_media(source) as container:
        heard = _chosen(container, listed)
        if not heard:
            return PartMade(tracks=())
        with ExitStack() as lanes:
            made = _outputs([about for _, about in heard], plan, scratch, lanes, emit)
            _decode(container, heard, plan, made, progress)
        progress(1.0)  # what was told on the way is thinned out; the end is always heard
        return PartMade(tracks=made.publish())


def _chosen(container: InputContainer, listed: tuple[AudioTrack, ...]) -> Heard:
    """The streams to be decoded, and what the probe said of each. The demuxer passes over all others."""
    known = {about.index: about for about in listed}
    heard = [(stream, known[stream.index]) for stream in tracks(container).audio if stream.index in known]
    heard = heard[:MOST_TRACKS]
    wanted = {stream.index for stream, _ in heard}
    for stream in container.streams:
        if stream.index not in wanted:
            stream.discard = Discard.all
    return heard


def _outputs(about: list[AudioTrack], plan: Plan, scratch: Path, lanes: ExitStack, emit: Emit) -> SoundTracks:
    if len(about) == 1:
        return OneTrack(about[0], plan, scratch, lanes, emit)
    return SeveralTracks(about, plan, scratch, lanes, emit)


def _decode(
    container: InputContainer, heard: Heard, plan: Plan, made: SoundTracks, progress: Callable[[float], None]
) -> None:
    numbers = {stream.index: number for number, (stream, _) in enumerate(heard)}
    laid = [Soundtrack(plan.origin_s, plan.max_duration_s) for _ in heard]
    told = 0.0
    for index, frame in Decoder(container, [stream for stream, _ in heard]).by_track():
        if not isinstance(frame, av.AudioFrame):
            continue
        number = numbers[index]
        for samples in laid[number].add(frame):
            made.put(number, samples)
        done = min(1.0, laid[number].length / SAMPLE_RATE / plan.duration_s) if plan.duration_s else 0.0
        if done >= told + 0.01:
            told = done
            progress(done)
        if all(track.full for track in laid):
            break
    for number, track in enumerate(laid):
        for samples in track.finish():
            made.put(number, samples)
    made.finish()
