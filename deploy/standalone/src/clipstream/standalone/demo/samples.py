"""The sample clips, made on the spot: two games with speech, an exact copy, a re-muxed copy, one without sound, a broken file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from corpus import gameplay

Outcome = Literal["ready", "duplicate", "rejected"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One clip to upload and what must come of it. `spoken` are (second, phrase); `original` names the clip it copies."""

    title: str
    filename: str
    outcome: Outcome
    make: Callable[[Path, Path], object]  # (own path, directory of all samples)
    renditions: tuple[int, ...] = ()
    spoken: tuple[tuple[float, str], ...] = ()
    original: str | None = None


ARENA_SPEECH = ((1.5, "enemy on the left"), (5.0, "i need ammo"), (8.5, "push the bridge"))
CANYON_SPEECH = ((2.0, "behind you"), (6.0, "throw a grenade"))


def _arena(path: Path, _: Path) -> None:
    gameplay.render_clip(path, seed=1, duration_s=12, width=1280, height=720, fps=30, speech=ARENA_SPEECH)


def _canyon(path: Path, _: Path) -> None:
    gameplay.render_clip(path, seed=2, duration_s=10, width=1920, height=1080, fps=30, speech=CANYON_SPEECH)


def _silent(path: Path, _: Path) -> None:
    gameplay.render_clip(path, seed=3, duration_s=8, width=854, height=480, fps=30, audio=False)


def _broken(path: Path, samples: Path) -> None:
    whole = (samples / "arena.mp4").read_bytes()
    path.write_bytes(whole[: len(whole) // 3])


SAMPLES = (
    Sample("Arena clutch", "arena.mp4", "ready", _arena, (480, 720), ARENA_SPEECH),
    Sample("Canyon ambush", "canyon.mp4", "ready", _canyon, (480, 720, 1080), CANYON_SPEECH),
    Sample("Silent run", "silent.mp4", "ready", _silent, (480,)),
    Sample(
        "Arena, sent twice",
        "arena copy.mp4",
        "duplicate",
        lambda path, samples: shutil.copyfile(samples / "arena.mp4", path),
        original="Arena clutch",
    ),
    Sample(
        "Arena, re-muxed",
        "arena.mkv",
        "duplicate",
        lambda path, samples: gameplay.remux(samples / "arena.mp4", path),
        original="Arena clutch",
    ),
    Sample("Broken upload", "broken.mp4", "rejected", _broken),
)


def make_samples(directory: Path) -> None:
    """Render what is not there yet. A file appears only when complete."""
    directory.mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES:
        target = directory / sample.filename
        if not target.exists():
            unfinished = target.with_name(f"unfinished-{sample.filename}")
            sample.make(unfinished, directory)
            unfinished.rename(target)
