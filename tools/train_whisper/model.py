"""Whisper's architecture in plain torch, tiny, with two training-only heads on the encoder.

The initialisation matters more than anything else here: from a plain one the decoder learns the grammar and ignores
the audio. Two things are set by hand. The heads of the first two encoder layers start out looking at a frame a fixed
distance away, and a timestamp's embedding starts as the encoder's own position of that frame.
"""

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from train_whisper.features import MELS
from train_whisper.vocabulary import TIMESTAMP_COUNT, Vocabulary

_OFFSETS = ((-4, -1, 1, 4), (-9, -3, 3, 9))
"""Frames (20 ms) the four heads of encoder layers 1 and 2 look away at the start."""
_OFFSET_SCALE = 1.6
_RANDOM_SHARE = 0.3
_TIMESTAMP_SCALE = 0.15
_PHONE_LAYERS = 2
"""Encoder layers below the phone head."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the network."""

    width: int = 128
    heads: int = 4
    encoder_layers: int = 3
    decoder_layers: int = 2
    encoder_positions: int = 1500
    decoder_positions: int = 448
    alignment_heads: int = 2
    """The first heads of the last decoder layer: they give the word times."""


def sinusoids(length: int, width: int) -> Tensor:
    """Whisper's encoder positions: (length, width), sines in the first half, cosines in the second."""
    rates = torch.exp(-math.log(10_000) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(length)[:, None] * rates[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Attention(nn.Module):
    """Multi-head attention; the key projection has no bias, as in Whisper."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def forward(self, x: Tensor, source: Tensor, *, causal: bool = False) -> Tensor:
        """Attend from `x` to `source`, both (batch, length, width)."""
        q, k, v = self._split(self.query(x)), self._split(self.key(source)), self._split(self.value(source))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def weights(self, x: Tensor, source: Tensor, heads: int) -> Tensor:
        """Attention of the first `heads` heads: (batch, heads, length of x, length of source), in float32."""
        q, k = self._split(self.query(x))[:, :heads], self._split(self.key(source))[:, :heads]
        return (q.float() @ k.float().transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)


class Block(nn.Module):
    """A pre-norm transformer block, with cross-attention in the decoder."""

    def __init__(self, width: int, heads: int, *, cross: bool) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.cross_norm = nn.LayerNorm(width) if cross else None
        self.cross = Attention(width, heads) if cross else None
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp_in = nn.Linear(width, 4 * width)
        self.mlp_out = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, source: Tensor | None = None, aligned_heads: int = 0) -> tuple[Tensor, Tensor | None]:
        """The block's output, and the cross-attention of `aligned_heads` heads where asked for."""
        normed = self.attention_norm(x)
        x = x + self.attention(normed, normed, causal=source is not None)
        alignment = None
        if self.cross is not None and self.cross_norm is not None and source is not None:
            normed = self.cross_norm(x)
            x = x + self.cross(normed, source)
            alignment = self.cross.weights(normed, source, aligned_heads) if aligned_heads else None
        return x + self.mlp_out(functional.gelu(self.mlp_in(self.mlp_norm(x)))), alignment


class Encoder(nn.Module):
    """(batch, 80, frames) features -> (batch, frames / 2, width)."""

    positions: Tensor

    def __init__(self, shape: Shape, phones: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(MELS, shape.width, 3, padding=1)
        self.conv2 = nn.Conv1d(shape.width, shape.width, 3, stride=2, padding=1)
        self.register_buffer("positions", sinusoids(shape.encoder_positions, shape.width))
        self.blocks = nn.ModuleList(Block(shape.width, shape.heads, cross=False) for _ in range(shape.encoder_layers))
        self.norm = nn.LayerNorm(shape.width)
        self.phone_head = nn.Linear(shape.width, phones + 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The encoding, and phone logits read after the second layer."""
        x = functional.gelu(self.conv1(features))
        x = functional.gelu(self.conv2(x)).transpose(1, 2)
        x = x + self.positions[: x.shape[1]]
        for block in self.blocks[:_PHONE_LAYERS]:
            x, _ = block(x)
        phones = self.phone_head(x)
        for block in self.blocks[_PHONE_LAYERS:]:
            x, _ = block(x)
        return self.norm(x), phones


class Decoder(nn.Module):
    """Tokens and encoding -> logits; the output projection is the token embedding."""

    def __init__(self, shape: Shape, tokens: int) -> None:
        super().__init__()
        self.alignment_heads = shape.alignment_heads
        self.embedding = nn.Embedding(tokens, shape.width)
        self.positions = nn.Parameter(torch.randn(shape.decoder_positions, shape.width) * 0.02)
        self.blocks = nn.ModuleList(Block(shape.width, shape.heads, cross=True) for _ in range(shape.decoder_layers))
        self.norm = nn.LayerNorm(shape.width)

    def forward(self, tokens: Tensor, encoding: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (batch, length, tokens), alignment (batch, heads, length, encoder frames)."""
        x = self.embedding(tokens) + self.positions[: tokens.shape[1]]
        for block in self.blocks[:-1]:
            x, _ = block(x, encoding)
        x, alignment = self.blocks[-1](x, encoding, self.alignment_heads)
        return self.norm(x) @ self.embedding.weight.T, alignment


class TinyWhisper(nn.Module):
    """Encoder, decoder, and the heads only training uses."""

    def __init__(self, shape: Shape, vocabulary: Vocabulary, phones: int) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = Encoder(shape, phones)
        self.decoder = Decoder(shape, len(vocabulary.tokens))
        self.word_head = nn.Linear(shape.width, len(vocabulary.words) + 1)
        self._start(vocabulary)

    @torch.no_grad()
    def _start(self, vocabulary: Vocabulary) -> None:
        embedding = self.decoder.embedding.weight
        nn.init.normal_(embedding, std=0.05)
        embedding[vocabulary.first_timestamp :] = sinusoids(TIMESTAMP_COUNT, self.shape.width) * _TIMESTAMP_SCALE
        for block, offsets in zip(self.encoder.blocks, _OFFSETS, strict=False):
            _look_away(cast("Block", block).attention, offsets, self.shape)


def _look_away(attention: Attention, offsets: tuple[int, ...], shape: Shape) -> None:
    """Set query and key of each head so that frame i attends to frame i + offset.

    Keys read the fastest sines and cosines of the position; queries read them turned by the offset, so that the dot
    product is a sum of cos(rate * (i + offset - j)), largest at j = i + offset.
    """
    size = shape.width // shape.heads
    half = size // 2
    rates = torch.exp(-math.log(10_000) / (shape.width // 2 - 1) * torch.arange(half))
    sines, cosines = torch.arange(half), shape.width // 2 + torch.arange(half)
    attention.query.weight.mul_(_RANDOM_SHARE)
    attention.key.weight.mul_(_RANDOM_SHARE)
    for head, offset in enumerate(offsets):
        rows = head * size + torch.arange(half)
        turn_cos, turn_sin = (rates * offset).cos() * _OFFSET_SCALE, (rates * offset).sin() * _OFFSET_SCALE
        attention.key.weight[rows, sines] += _OFFSET_SCALE
        attention.key.weight[rows + half, cosines] += _OFFSET_SCALE
        attention.query.weight[rows, sines] += turn_cos
        attention.query.weight[rows, cosines] += turn_sin
        attention.query.weight[rows + half, cosines] += turn_cos
        attention.query.weight[rows + half, sines] -= turn_sin
