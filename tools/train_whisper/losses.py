"""The losses of the demo speech model.

Text and timestamps are what the model is for. Without the other three, which tie encoder frames to phones and words
and the alignment heads to the spoken word, it settles on guessing from the grammar.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from train_whisper.model import TinyWhisper
from train_whisper.vocabulary import TIMESTAMP_COUNT, Vocabulary
from train_whisper.windows import IGNORE, Batch

_BACKGROUND_WEIGHT = 0.3
_TIME_SIGMA_STEPS = 2.5
_TIME_REACH_STEPS = 6


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each loss counts."""

    text: float = 1.0
    time: float = 0.5
    frame_word: float = 0.7
    frame_phone: float = 0.4
    alignment: float = 0.15


@dataclass(frozen=True, slots=True)
class Measured:
    """Losses of one batch, and the share of words right when the words before are given."""

    total: Tensor
    text: float
    time: float
    word_accuracy: float


def measure(model: TinyWhisper, batch: Batch, vocabulary: Vocabulary, weights: Weights) -> Measured:
    """Run the model on a batch."""
    encoding, phone_logits = model.encoder(batch.features)
    logits, alignment = model.decoder(batch.inputs, encoding)
    logits = logits.float()
    text = functional.cross_entropy(logits.flatten(0, 1), batch.text_targets.flatten(), ignore_index=IGNORE)
    time = _time_loss(logits, batch.time_targets, vocabulary)
    frame_word = _frame_loss(model.word_head(encoding), batch.frame_words)
    frame_phone = _frame_loss(phone_logits, batch.frame_phones)
    aligned = _alignment_loss(alignment, batch.spans)
    total = (
        weights.text * text
        + weights.time * time
        + weights.frame_word * frame_word
        + weights.frame_phone * frame_phone
        + weights.alignment * aligned
    )
    spoken = batch.spans[..., 1] > 0
    right = (logits.argmax(-1) == batch.text_targets) & spoken
    accuracy = float(right.sum() / spoken.sum().clamp(min=1))
    return Measured(total, float(text.detach()), float(time.detach()), accuracy)


def _time_loss(logits: Tensor, targets: Tensor, vocabulary: Vocabulary) -> Tensor:
    """Cross-entropy against a narrow bell around the true 20 ms step, so that a near miss costs little."""
    chosen = targets != IGNORE
    if not bool(chosen.any()):
        return logits.sum() * 0.0
    log_probabilities = logits[chosen].log_softmax(-1)[:, vocabulary.first_timestamp :]
    reach = torch.arange(-_TIME_REACH_STEPS, _TIME_REACH_STEPS + 1)
    bell = torch.exp(-0.5 * (reach / _TIME_SIGMA_STEPS) ** 2)
    steps = (targets[chosen][:, None] + reach).clamp(0, TIMESTAMP_COUNT - 1)
    return -(log_probabilities.gather(1, steps) * (bell / bell.sum())).sum(1).mean()


def _frame_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy per frame over the labelled part of the window; the last class is the background."""
    logits = logits[:, : targets.shape[1]].float()
    weight = torch.ones(logits.shape[-1])
    weight[-1] = _BACKGROUND_WEIGHT
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), weight=weight)


def _alignment_loss(alignment: Tensor, spans: Tensor) -> Tensor:
    """Minus the log of the attention that falls inside the spoken word."""
    spoken = spans[..., 1] > 0
    frames = torch.arange(alignment.shape[-1])
    inside = (frames >= spans[..., :1]) & (frames < spans[..., 1:])
    mass = (alignment * inside[:, None]).sum(-1).clamp(min=1e-6)
    return -(mass.log().mean(1) * spoken).sum() / spoken.sum().clamp(min=1)
