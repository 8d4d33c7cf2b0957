"""What encoded pictures weigh, and how far they are from the source."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import av
import imageio_ffmpeg

_TAGS = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
"""A stream without colour tags is converted before it is compared, and then reads 3 dB worse than it is."""


def joined(playlist: Path, into: Path) -> Path:
    """The track that a media playlist names as one file."""
    lines = playlist.read_text().splitlines()
    init = next(match[1] for line in lines if (match := re.match(r'#EXT-X-MAP:.*URI="([^"]+)"', line)))
    names = [init, *(line for line in lines if line and not line.startswith("#"))]
    into.write_bytes(b"".join((playlist.parent / name).read_bytes() for name in names))
    return into


def payload_bytes(track: Path) -> int:
    """The encoder's own bytes, without the container's."""
    with av.open(str(track)) as container:
        return sum(packet.size for packet in container.demux(video=0))


def psnr_db(source: Path, tracks: Iterable[Path], rate: int) -> list[float]:
    """Mean PSNR over all planes and pictures of each of `tracks`, all of one size, against `source` scaled to that size."""
    compared = list(tracks)
    with av.open(str(compared[0])) as container:
        context = container.streams.video[0].codec_context
        width, height = context.width, context.height
    # Pictures are matched by their number: where a track's clock begins is another matter.
    numbered = f"settb=1/{rate},setpts=N,{_TAGS}"
    copies = "".join(f"[r{index}]" for index in range(len(compared)))
    graph = [f"[0:v]{numbered},scale={width}:{height}:flags=bicubic,{_TAGS},split={len(compared)}{copies}"]
    for index in range(len(compared)):
        graph += [f"[{index + 1}:v]{numbered}[t{index}]", f"[t{index}][r{index}]psnr=shortest=1[o{index}]"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-i", str(source)]
    for track in compared:
        command += ["-i", str(track)]
    command += ["-filter_complex", ";".join(graph)]
    for index in range(len(compared)):
        command += ["-map", f"[o{index}]", "-f", "null", "-"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    found = {int(number): float(mean) for number, mean in re.findall(r"psnr_(\d+) @.* average:([\d.]+|inf)", said)}
    return [found[number] for number in sorted(found)]
