"""Train the demo speech model on a CPU, in two stages.

    python -m train_whisper.train short /tmp/train/corpus.npz /tmp/train/short.pt
    python -m train_whisper.train full  /tmp/train/corpus.npz /tmp/train/full.pt --start /tmp/train/short.pt --seed 1

The short stage learns to listen on windows of 3 to 12 s; the full stage gets used to the 30 s windows of inference.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from train_whisper.losses import Measured, Weights, measure
from train_whisper.model import Shape, TinyWhisper
from train_whisper.noise import game_noise
from train_whisper.speech_corpus import SpeechCorpus
from train_whisper.vocabulary import vocabulary
from train_whisper.windows import WindowMaker, WindowPlan

NOISE_SEEDS = range(1_000, 1_160)
"""Seeds of the training noise; evaluation uses others."""

_LOG_EVERY = 25
_SAVE_EVERY = 100


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of training. Shares are of the stage's steps."""

    lengths_s: tuple[int, ...]
    unlock_at: tuple[float, ...]
    """Share of the stage after which each length may be drawn."""
    newest_share: float
    """Share of the steps that take the length unlocked last; the others draw from all unlocked."""
    full_share: float
    learning_rate: float
    warm_up: int
    steps: int
    planned_steps: int
    """Steps the schedules count in; a stage may stop earlier."""
    half_batch_until: float
    noise_grows_until: float


STAGES = {
    "short": Stage((3, 5, 8, 12), (0.0, 0.05, 0.15, 0.35), 0.5, 0.0, 1.5e-3, 200, 2500, 2500, 0.4, 0.25),
    "full": Stage((6, 12, 20, 28), (0.0, 0.0, 0.0, 0.0), 0.0, 0.75, 8e-4, 40, 700, 1300, 0.0, 0.0),
}
_BATCH_AUDIO_S = 96
_FINAL_RATE = 0.02


def plan_step(stage: Stage, progress: float, rng: np.random.Generator) -> tuple[WindowPlan, int]:
    """What the windows of this step look like, and how many there are."""
    unlocked = [s for s, at in zip(stage.lengths_s, stage.unlock_at, strict=True) if progress >= at]
    length_s = unlocked[-1] if rng.random() < stage.newest_share else int(rng.choice(unlocked))
    full = bool(rng.random() < stage.full_share)
    noisy = 0.85 * min(1.0, progress / stage.noise_grows_until) if stage.noise_grows_until else 0.85
    audio_s = _BATCH_AUDIO_S / 2 if progress < stage.half_batch_until else _BATCH_AUDIO_S
    count = min(max(int(audio_s * 2 / 3 / length_s), 2), 6) if full else max(int(audio_s / length_s), 2)
    return WindowPlan(length_s, full, noisy), count


def learning_rate(stage: Stage, step: int) -> float:
    """Linear warm-up, then a cosine down to 2 %."""
    if step < stage.warm_up:
        return stage.learning_rate * (step + 1) / stage.warm_up
    progress = (step - stage.warm_up) / max(stage.planned_steps - stage.warm_up, 1)
    return stage.learning_rate * (_FINAL_RATE + (1 - _FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * progress)))


def train(stage: Stage, model: TinyWhisper, maker: WindowMaker, out: Path, seed: int) -> None:
    """Run a stage; a checkpoint and a line of the log are written on the way."""
    rng = np.random.default_rng(seed)
    layout = vocabulary()
    optimiser = torch.optim.AdamW(model.parameters(), lr=stage.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    recent: list[Measured] = []
    audio_s = 0.0
    wall, cpu = time.monotonic(), time.process_time()
    with out.with_suffix(".jsonl").open("w") as log:
        for step in range(stage.steps):
            plan, count = plan_step(stage, step / stage.planned_steps, rng)
            batch = maker.batch(plan, count)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(stage, step)
            with torch.autocast("cpu", torch.bfloat16):
                measured = measure(model, batch, layout, Weights())
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(measured.total)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            recent.append(measured)
            audio_s += plan.length_s * count
            if (step + 1) % _LOG_EVERY == 0:
                spent = {
                    "wall_s": time.monotonic() - wall,
                    "cpu_s": time.process_time() - cpu,
                    "audio_h": audio_s / 3600,
                }
                log.write(json.dumps({"step": step + 1, **_means(recent), **_rounded(spent)}) + "\n")
                log.flush()
                recent = []
            if (step + 1) % _SAVE_EVERY == 0 or step + 1 == stage.steps:
                save(model, out)


def _means(recent: list[Measured]) -> dict[str, float]:
    names = ("text", "time", "word_accuracy")
    return _rounded({name: float(np.mean([getattr(measured, name) for measured in recent])) for name in names})


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def save(model: TinyWhisper, path: Path) -> None:
    """Write a checkpoint that `load` and the export can read."""
    phones = model.encoder.phone_head.out_features - 1
    torch.save({"shape": asdict(model.shape), "phones": phones, "weights": model.state_dict()}, path)


def load(path: Path) -> TinyWhisper:
    """Read a checkpoint."""
    stored = torch.load(path, weights_only=True)
    model = TinyWhisper(Shape(**stored["shape"]), vocabulary(), stored["phones"])
    model.load_state_dict(stored["weights"])
    return model


def main() -> None:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=sorted(STAGES))
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", type=Path, help="checkpoint to start from")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    corpus = SpeechCorpus.load(options.corpus)
    noise = [game_noise(seed) for seed in NOISE_SEEDS]
    model = load(options.start) if options.start else TinyWhisper(Shape(), vocabulary(), len(corpus.phone_names))
    train(STAGES[options.stage], model, WindowMaker(corpus, noise, options.seed), options.out, options.seed)


if __name__ == "__main__":
    main()
