"""From a media file to the samples the engine hears. Runs in the cage; writes raw float32 mono at 16 kHz."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.filter import Graph
from pydantic import BaseModel

from clipstream.common.contracts.media import AudioTrack
from clipstream.common.errors import Permanent
from clipstream.common.media.decode import Decoder
from clipstream.common.media.open import open_media

SAMPLE_RATE = 16_000
_VOICE = re.compile(r"\b(mic|micro|microphone|aux|voice|vocal|commentary|discord|team ?speak|chat)\b", re.IGNORECASE)


class ExtractedTrack(BaseModel):
    """Samples of one track in `file` (below the scratch directory), aligned to the clip's timeline."""

    track: int
    file: str
    samples: int


def voice_tracks(tracks: Sequence[AudioTrack]) -> list[AudioTrack]:
    """The tracks that carry voices: by their titles, else the first one (recorders put the mix there)."""
    titled = [track for track in tracks if track.title and _VOICE.search(track.title)]
    return titled or list(tracks[:1])


def extract(
    media: BinaryIO, *, tracks: list[int], out: Path, progress: Callable[[float], None]
) -> list[ExtractedTrack]:
    """Decode the stream indexes `tracks` to float32 mono 16 kHz files in `out`.

    A track that starts late begins with silence and gaps are filled, so that sample n is heard at n / 16000 s.
    """
    extracted = []
    for position, index in enumerate(tracks):
        media.seek(0)
        with open_media(media) as container:
            name = f"track-{index}.f32"
            count = _decode_track(container, index, out / name)
        extracted.append(ExtractedTrack(track=index, file=name, samples=count))
        progress((position + 1) / len(tracks))
    return extracted


def _decode_track(container: InputContainer, index: int, path: Path) -> int:
    stream = container.streams[index]
    if not isinstance(stream, AudioStream):
        raise Permanent(f"Track {index} of the clip holds no sound.")
    origin = (container.start_time or 0) / 1_000_000
    graph: Graph | None = None
    written = 0
    with path.open("wb") as sink:
        for frame in Decoder(container, [stream]):
            if not isinstance(frame, AudioFrame):
                continue
            graph = graph or _resampler(frame)
            if frame.pts is not None and frame.time_base is not None:
                frame.pts -= round(origin / frame.time_base)
            graph.push(frame)
            written += _drain(graph, sink)
        if graph is not None:
            graph.push(None)
            written += _drain(graph, sink)
    return written


def _resampler(first: AudioFrame) -> Graph:
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=first.sample_rate, format=first.format.name, layout=first.layout.name, time_base=first.time_base
    )
    resample = graph.add("aresample", f"{SAMPLE_RATE}:async=1:first_pts=0")
    shape = graph.add("aformat", "sample_fmts=flt:channel_layouts=mono")
    sink = graph.add("abuffersink")
    source.link_to(resample)
    resample.link_to(shape)
    shape.link_to(sink)
    graph.configure()
    return graph


def _drain(graph: Graph, sink: BinaryIO) -> int:
    count = 0
    while True:
        try:
            frame = graph.pull()
        except (BlockingIOError, EOFError):
            return count
        if isinstance(frame, AudioFrame):
            sink.write(frame.to_ndarray().tobytes())
            count += frame.samples
