"""The clips that transcoding is measured on: gameplay at 1080p60, recorded as players record it. Made once, then kept."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

from corpus.gameplay import render_audio
from corpus.world import World

WIDTH, HEIGHT, RATE = 1920, 1080, 60
_TAGS = ("-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")


@dataclass(frozen=True, slots=True)
class Recorder:
    """How a recorder encodes: `rate` is ffmpeg's notation for bits a second, `gop` pictures from one key to the next."""

    name: str
    rate: str
    gop: int
    x264: str


LONG_GOP = Recorder("obs-20M-gop250", "20M", 250, "nal-hrd=cbr:scenecut=0:keyint=250:min-keyint=25")
"""As OBS records by default: too many bits and too few key pictures to be handed on as it is."""

COPYABLE = Recorder("vbr-10M-gop120", "10M", 120, "scenecut=0:open-gop=0:keyint=120:min-keyint=120")
"""Small enough, and with a key picture every two seconds: can be the top rendition itself."""


def recorded(recorder: Recorder, duration_s: int, cache: Path) -> Path:
    """The first `duration_s` seconds of the match, as `recorder` leaves them."""
    clip = cache / f"{recorder.name}-{duration_s}s.mp4"
    if not clip.exists():
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = clip.with_suffix(".partial.mp4")
        _record(recorder, duration_s, unfinished)
        unfinished.rename(clip)
    return clip


def _record(recorder: Recorder, duration_s: int, path: Path) -> None:
    sound = render_audio(path.with_suffix(".wav"), seed=90, duration_s=duration_s)
    world = World(90, WIDTH, HEIGHT)
    with subprocess.Popen(_command(recorder, sound, path), stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin
        for index in range(duration_s * RATE):
            encoder.stdin.write(world.draw(index / RATE).buffer.tobytes())
        encoder.stdin.close()
    sound.unlink()
    if encoder.returncode:
        raise subprocess.CalledProcessError(encoder.returncode, encoder.args)


def _command(recorder: Recorder, sound: Path, path: Path) -> list[str]:
    pictures = ("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE), *_TAGS, "-i", "-")
    limits = ("-b:v", recorder.rate, "-maxrate", recorder.rate, "-bufsize", recorder.rate)
    return [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *pictures, "-i", str(sound)),
        *("-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-bf", "2", *limits),
        *("-x264-params", recorder.x264, *_TAGS),
        *("-c:a", "aac", "-b:a", "160k", "-ar", "48000", "-movflags", "+faststart", str(path)),
    ]
