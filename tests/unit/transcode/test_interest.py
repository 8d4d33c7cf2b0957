"""Which pictures lose as a thumbnail against a clear one of the same scene."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter

from clipstream.transcode.pictures.interest import interest
from corpus.world import World


def scene(seed: int) -> Image.Image:
    luma = World(seed, 640, 360).draw(3.0).y
    full = np.clip((luma.astype(np.float32) - 16) * 255 / 219, 0, 255).astype(np.uint8)
    return Image.fromarray(full).resize((320, 180), Image.Resampling.BOX)


def swept(picture: Image.Image) -> Image.Image:
    """As a turn of the camera blurs it, 8 pixels wide."""
    values = np.asarray(picture, np.float32)
    moved = np.mean([np.roll(values, shift, axis=1) for shift in range(8)], axis=0)
    return Image.fromarray(moved.astype(np.uint8))


WORSE: dict[str, Callable[[Image.Image], Image.Image]] = {
    "black": lambda picture: picture.point(lambda _: 0),
    "white": lambda picture: picture.point(lambda _: 255),
    "grey": lambda picture: picture.point(lambda _: 128),
    "half faded to black": lambda picture: picture.point(lambda value: value // 2),
    "a quarter faded to black": lambda picture: picture.point(lambda value: value * 3 // 4),
    "half faded to white": lambda picture: picture.point(lambda value: 128 + value // 2),
    "flash": lambda picture: picture.point(lambda value: min(255, value + 140)),
    "out of focus": lambda picture: picture.filter(ImageFilter.GaussianBlur(3)),
    "swept": swept,
    "burnt out": lambda picture: picture.point(lambda value: max(0, min(255, 4 * value - 384))),
    "very dark": lambda picture: picture.point(lambda value: value // 8),
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("worse", list(WORSE))
def test_a_spoilt_picture_is_less_telling(seed: int, worse: str) -> None:
    clear = scene(seed)
    assert interest(WORSE[worse](clear)) < 0.9 * interest(clear)


@pytest.mark.parametrize("worse", ["black", "white", "grey"])
def test_an_empty_picture_tells_nothing(worse: str) -> None:
    assert interest(WORSE[worse](scene(1))) == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 320), (320, 2)])
def test_any_size_has_a_number(size: tuple[int, int]) -> None:
    assert 0 <= interest(Image.new("L", size, 90)) <= 1
