"""Log-mel features as faster-whisper computes them, for batches of windows."""

import functools

import torch
from faster_whisper.feature_extractor import FeatureExtractor

from corpus.speech import SAMPLE_RATE

N_FFT = 400
HOP = 160
MELS = 80
FRAMES_PER_S = SAMPLE_RATE // HOP
FULL_WINDOW_S = 30


@functools.cache
def _filters() -> torch.Tensor:
    return torch.as_tensor(FeatureExtractor.get_mel_filters(SAMPLE_RATE, N_FFT, n_mels=MELS), dtype=torch.float32)


@functools.cache
def _hann() -> torch.Tensor:
    return torch.hann_window(N_FFT)


def log_mel(audio: torch.Tensor, valid_s: torch.Tensor, louder: torch.Tensor, frames: int) -> torch.Tensor:
    """(batch, samples) audio -> (batch, 80, frames) features.

    Frames after `valid_s` are exactly 0.0, which is what faster-whisper pads with. `louder` (batch) raises the maximum
    the dynamic range is counted from, as a loud moment elsewhere in the same recording does.
    """
    spectrum = torch.stft(audio, N_FFT, HOP, window=_hann(), center=True, pad_mode="reflect", return_complex=True)
    power = spectrum[..., :-1].abs().square()
    mel = (_filters() @ power).clamp(min=1e-10).log10()
    valid = torch.arange(mel.shape[-1])[None] < (valid_s * FRAMES_PER_S)[:, None]
    peak = mel.masked_fill(~valid[:, None], -10.0).amax(dim=(1, 2)) + louder
    mel = (torch.maximum(mel, peak[:, None, None] - 8.0) + 4.0) / 4.0
    mel = mel * valid[:, None]
    return torch.nn.functional.pad(mel, (0, frames - mel.shape[-1]))
