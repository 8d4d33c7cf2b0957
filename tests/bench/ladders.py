"""The same ladder as a user would make it with the ffmpeg program: one command, one command for each rendition, or with
the source itself on top. Encoder settings are those of our own plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg

from clipstream.transcode.chunking import GOP_S
from clipstream.transcode.plan import CRF
from clipstream.transcode.planned import Rendition

AUDIO_RATE = "128k"
SEGMENT_S = 4


def one_command(clip: Path, rungs: Sequence[Rendition], rate: int, preset: str, into: Path) -> list[str]:
    """One decode, split and scaled for every rendition."""
    return [
        *_head(clip, rungs),
        *(option for index, rung in enumerate(rungs) for option in _encoded(index, index, rung, rate, preset)),
        *_packaged(len(rungs), into),
    ]


def separate_commands(clip: Path, rungs: Sequence[Rendition], rate: int, preset: str, into: Path) -> list[list[str]]:
    """A command for each rendition, to be run one after the other; sound is made by the first."""
    commands = []
    for index, rung in enumerate(rungs):
        directory = into / rung.name
        directory.mkdir()
        sound = () if index else ("-map", "0:a", "-c:a", "aac", "-b:a", AUDIO_RATE, "-ar", "48000")
        groups = "v:0" if index else "v:0,agroup:a a:0,agroup:a"
        encoded = _encoded(0, 0, rung, rate, preset)
        commands.append([*_head(clip, [rung]), *encoded, *sound, *_hls(groups, directory)])
    return commands


def source_on_top(clip: Path, rungs: Sequence[Rendition], rate: int, preset: str, into: Path) -> list[str]:
    """The source copied as the top rendition, and `rungs` encoded below it with the source's own key pictures."""
    encoded = [
        option
        for index, rung in enumerate(rungs)
        for option in (*_encoded(index, index + 1, rung, rate, preset), f"-force_key_frames:v:{index + 1}", "source")
    ]
    return [*_head(clip, rungs), "-map", "0:v", "-c:v:0", "copy", *encoded, *_packaged(len(rungs) + 1, into)]


def _head(clip: Path, rungs: Sequence[Rendition]) -> list[str]:
    split = f"[0:v]split={len(rungs)}" + "".join(f"[s{index}]" for index in range(len(rungs)))
    scaled = [f"[s{i}]scale={rung.width}:{rung.height}:flags=bicubic[v{i}]" for i, rung in enumerate(rungs)]
    graph = ";".join([split, *scaled])
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", "-i", str(clip), "-filter_complex", graph]


def _encoded(made: int, output: int, rung: Rendition, rate: int, preset: str) -> list[str]:
    """Options for the picture stream that is number `output` of the output, from `[v{made}]`."""
    gop, stream = GOP_S * rate, f"v:{output}"
    return [
        *("-map", f"[v{made}]", f"-c:{stream}", "libx264", f"-preset:{stream}", preset, f"-crf:{stream}", str(CRF)),
        *(f"-maxrate:{stream}", str(rung.max_bit_rate), f"-bufsize:{stream}", str(GOP_S * rung.max_bit_rate)),
        *(f"-profile:{stream}", "high", f"-x264-params:{stream}"),
        f"scenecut=0:open-gop=0:keyint={gop}:min-keyint={gop}",
    ]


def _packaged(pictures: int, into: Path) -> list[str]:
    groups = " ".join([*(f"v:{index},agroup:a" for index in range(pictures)), "a:0,agroup:a"])
    return ["-map", "0:a", "-c:a", "aac", "-b:a", AUDIO_RATE, "-ar", "48000", *_hls(groups, into)]


def _hls(groups: str, into: Path) -> list[str]:
    return [
        *("-f", "hls", "-hls_time", str(SEGMENT_S), "-hls_segment_type", "fmp4", "-hls_playlist_type", "vod"),
        *("-hls_fmp4_init_filename", "init-%v.mp4", "-hls_segment_filename", str(into / "v%v-%05d.m4s")),
        *("-master_pl_name", "master.m3u8", "-var_stream_map", groups, str(into / "v%v.m3u8")),
    ]
