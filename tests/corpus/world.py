"""The picture of a game that never was: a scrolling textured world, enemies, a weapon, shots and a head-up display.

Everything is a pure function of (seed, time), so a frame can be drawn again, in any order, at any rate and size. Planes
are drawn as YUV 4:2:0 directly: a 720p frame costs about a millisecond. Knows nothing of codecs or files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]

SHOT_GLOW_S = 0.09
"""How long a muzzle flash is seen."""

_DIGITS = (
    ("111", "101", "101", "101", "111"),
    ("010", "110", "010", "010", "111"),
    ("111", "001", "111", "100", "111"),
    ("111", "001", "111", "001", "111"),
    ("101", "101", "111", "001", "001"),
    ("111", "100", "111", "001", "111"),
    ("111", "100", "111", "101", "111"),
    ("111", "001", "010", "010", "010"),
    ("111", "101", "111", "101", "111"),
    ("111", "101", "111", "001", "111"),
)


def shot_times(seed: int, duration_s: float) -> list[float]:
    """When the player fires, in seconds: bursts with pauses. Picture and sound both follow this."""
    random = np.random.default_rng([seed, 1])
    times: list[float] = []
    now = float(random.uniform(0.4, 1.5))
    while now < duration_s:
        for _ in range(int(random.integers(1, 6))):
            times.append(now)
            now += 0.14
        now += float(random.uniform(0.5, 2.5))
    return [time for time in times if time < duration_s]


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame: `buffer` is Y, then U, then V, as one array of [height * 3 / 2, width]; the others are views into it."""

    buffer: Plane
    y: Plane
    u: Plane
    v: Plane


@dataclass(frozen=True, slots=True)
class _Sprite:
    y: Plane
    u: int
    v: int
    mask: npt.NDArray[np.bool_]


class World:
    """One seed's level, seen through a camera of `width` x `height` (even numbers)."""

    def __init__(self, seed: int, width: int, height: int) -> None:
        self.width, self.height = width, height
        random = np.random.default_rng([seed, 0])
        self._roam_x, self._roam_y = width // 4 * 2, height // 4 * 2
        self._y, self._u, self._v = _texture(random, width + self._roam_x, height + self._roam_y)
        self._camera = random.uniform(0.3, 1.1, 4), random.uniform(0, 2 * np.pi, 4)
        self._sprites = [_enemy(random, height) for _ in range(7)]
        self._paths = random.uniform(0.2, 0.9, (7, 4))
        self._weapon = _weapon(random, height)
        self._score = int(random.integers(100, 900))
        self._shots = np.array(shot_times(seed, 3600.0))
        self._glow = _glow(height)
        self._font = [_digit(rows, max(1, height // 90)) for rows in _DIGITS]

    def draw(self, time_s: float) -> Picture:
        """The frame at `time_s` seconds into the match."""
        left, top = self._look(time_s)
        picture = self._crop(left, top)
        for sprite, path in zip(self._sprites, self._paths, strict=True):
            self._draw_enemy(picture, sprite, path, time_s, left, top)
        recoil = self._since_shot(time_s) < SHOT_GLOW_S
        bob = int(self.height * 0.015 * np.sin(time_s * 7)) // 2 * 2
        weapon = self._weapon
        below = self.height - weapon.mask.shape[0] + (self.height // 40 // 2 * 2 if recoil else 0) + bob
        _paste(picture, weapon, below, self.width * 11 // 20 // 2 * 2)
        if recoil:
            self._flash(picture)
        self._display(picture, time_s)
        return picture

    def _look(self, time_s: float) -> tuple[int, int]:
        speed, phase = self._camera
        swing = np.sin(speed * time_s + phase)
        across = 0.5 + 0.33 * swing[0] + 0.17 * np.sin(2.3 * speed[1] * time_s + phase[1])
        down = 0.5 + 0.33 * swing[2] + 0.17 * np.sin(1.7 * speed[3] * time_s + phase[3])
        return int(across * self._roam_x) // 2 * 2, int(down * self._roam_y) // 2 * 2

    def _crop(self, left: int, top: int) -> Picture:
        width, height = self.width, self.height
        buffer = np.empty(width * height * 3 // 2, np.uint8)
        luma, chroma = width * height, width * height // 4
        y = buffer[:luma].reshape(height, width)
        u = buffer[luma : luma + chroma].reshape(height // 2, width // 2)
        v = buffer[luma + chroma :].reshape(height // 2, width // 2)
        y[:] = self._y[top : top + height, left : left + width]
        u[:] = self._u[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]
        v[:] = self._v[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]
        return Picture(buffer.reshape(height * 3 // 2, width), y, u, v)

    def _draw_enemy(
        self, picture: Picture, sprite: _Sprite, path: npt.NDArray[np.float64], time_s: float, left: int, top: int
    ) -> None:
        x = (0.5 + 0.48 * np.sin(path[0] * time_s * 1.3 + path[1] * 20)) * (self.width + self._roam_x) - left
        y = (0.5 + 0.45 * np.sin(path[2] * time_s + path[3] * 20)) * (self.height + self._roam_y) - top
        hop = self.height * 0.02 * abs(np.sin(time_s * 6 + path[1] * 9))
        _paste(picture, sprite, int(y - hop) // 2 * 2, int(x) // 2 * 2)

    def _since_shot(self, time_s: float) -> float:
        fired = int(np.searchsorted(self._shots, time_s, side="right"))
        return float(time_s - self._shots[fired - 1]) if fired else float("inf")

    def _flash(self, picture: Picture) -> None:
        reach = self._glow.shape[0]
        top, left = self.height * 5 // 8 // 2 * 2, self.width * 11 // 20 // 2 * 2
        target = picture.y[top : top + reach, left : left + reach]
        glow = self._glow[: target.shape[0], : target.shape[1]]
        target[:] = np.minimum(target.astype(np.uint16) + glow, 235)
        half = slice(top // 2, top // 2 + reach // 2), slice(left // 2, left // 2 + reach // 2)
        picture.u[half] = picture.u[half] // 2 + 40
        picture.v[half] = picture.v[half] // 2 + 78

    def _display(self, picture: Picture, time_s: float) -> None:
        bar = self.height // 12 // 2 * 2
        picture.y[-bar:] = picture.y[-bar:] // 3 + 12
        picture.u[-bar // 2 :] = 128
        picture.v[-bar // 2 :] = 128
        fired = int(np.searchsorted(self._shots, time_s, side="right"))
        top = self.height - bar + max(1, bar // 5)
        self._number(picture.y, f"{int(time_s * 100) % 100000:05d}", top, self.width // 40)
        self._number(picture.y, f"{self._score + 25 * fired:06d}", top, self.width * 2 // 5)
        self._number(picture.y, f"{30 - fired % 31:02d}", top, self.width * 17 // 20)

    def _number(self, y: Plane, text: str, top: int, left: int) -> None:
        for character in text:
            glyph = self._font[int(character)]
            rows, columns = glyph.shape
            target = y[top : top + rows, left : left + columns]
            target[glyph[: target.shape[0], : target.shape[1]]] = 225
            left += columns + columns // 3 + 1


def _paste(picture: Picture, sprite: _Sprite, top: int, left: int) -> None:
    """Draw a sprite; `top` and `left` even, may lie outside."""
    rows, columns = sprite.mask.shape
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(picture.y.shape[0], top + rows), min(picture.y.shape[1], left + columns)
    if y0 >= y1 or x0 >= x1:
        return
    mask = sprite.mask[y0 - top : y1 - top, x0 - left : x1 - left]
    picture.y[y0:y1, x0:x1][mask] = sprite.y[y0 - top : y1 - top, x0 - left : x1 - left][mask]
    half = mask[::2, ::2]
    picture.u[y0 // 2 : (y1 + 1) // 2, x0 // 2 : (x1 + 1) // 2][half] = sprite.u
    picture.v[y0 // 2 : (y1 + 1) // 2, x0 // 2 : (x1 + 1) // 2][half] = sprite.v


def _noise(random: np.random.Generator, width: int, height: int, rows: int) -> npt.NDArray[np.float32]:
    """Smooth value noise in 0..1 with `rows` cells from top to bottom."""
    grid = random.random((rows + 1, round(rows * width / height) + 1), dtype=np.float32)
    down = np.linspace(0, grid.shape[0] - 1.001, height, dtype=np.float32)
    across = np.linspace(0, grid.shape[1] - 1.001, width, dtype=np.float32)
    row, column = down.astype(np.intp), across.astype(np.intp)
    lower, right = (down - row)[:, None], (across - column)[None, :]
    strips = grid[row] * (1 - lower) + grid[row + 1] * lower
    result: npt.NDArray[np.float32] = (strips[:, column] * (1 - right) + strips[:, column + 1] * right).astype(
        np.float32
    )
    return result


def _texture(random: np.random.Generator, width: int, height: int) -> tuple[Plane, Plane, Plane]:
    """The level's ground: terrain in the seed's own colours, paving, and buildings with lit windows."""
    coarse = _noise(random, width, height, 8)
    fine = _noise(random, width, height, 36)
    levels = np.minimum(((0.7 * coarse + 0.3 * fine) * 6).astype(np.intp), 5)
    luma = random.integers(45, 190, 6)
    y = luma[levels].astype(np.float32) + 50 * (fine - 0.5)
    u = random.integers(85, 171, 6)[levels[::2, ::2]].astype(np.uint8)
    v = random.integers(85, 171, 6)[levels[::2, ::2]].astype(np.uint8)
    tile = max(2, int(random.uniform(0.05, 0.1) * height))
    y[::tile] -= 22
    y[:, ::tile] -= 22
    for _ in range(14):
        _building(np.random.default_rng(random.integers(1 << 32)), y, u, v)
    y += _noise(random, width, height, 360) * 14 - 7
    return np.clip(y, 18, 232).astype(np.uint8), u, v


def _building(random: np.random.Generator, y: npt.NDArray[np.float32], u: Plane, v: Plane) -> None:
    height, width = y.shape
    windows = random.integers(2, 7, 2)
    step = max(1, height // 70)
    rows, columns = (int(count * 2 + 1) * step for count in windows)
    top = int(random.random() * (height - rows)) // 2 * 2
    left = int(random.random() * max(2, width - columns)) // 2 * 2
    y[top : top + rows, left : left + columns] = random.integers(40, 200)
    u[top // 2 : (top + rows) // 2, left // 2 : (left + columns) // 2] = random.integers(70, 186)
    v[top // 2 : (top + rows) // 2, left // 2 : (left + columns) // 2] = random.integers(70, 186)
    lit = int(random.integers(150, 230))
    for row, column in np.ndindex(*(int(count) for count in windows)):
        at_y, at_x = top + (2 * row + 1) * step, left + (2 * column + 1) * step
        y[at_y : at_y + step, at_x : at_x + step] = lit if random.random() < 0.6 else 35


def _enemy(random: np.random.Generator, height: int) -> _Sprite:
    size = int(random.uniform(0.08, 0.17) * height) // 2 * 2 + 2
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    body = (x / 0.6) ** 2 + ((y - 0.25) / 0.7) ** 2 < 1
    head = (x / 0.4) ** 2 + ((y + 0.6) / 0.38) ** 2 < 1
    eyes = ((abs(x) - 0.16) / 0.1) ** 2 + ((y + 0.62) / 0.1) ** 2 < 1
    luma = np.broadcast_to(random.integers(60, 180) + 30 * x, (size, size)).copy()
    luma[eyes] = 230
    return _Sprite(
        np.clip(luma, 16, 235).astype(np.uint8),
        int(random.integers(60, 196)),
        int(random.integers(60, 196)),
        body | head,
    )


def _weapon(random: np.random.Generator, height: int) -> _Sprite:
    size = height // 3 // 2 * 2 + 2
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    barrel = (abs(x + 0.5 - 0.45 * y) < 0.16) & (y > -0.8)
    grip = (abs(x - 0.1 - 0.3 * y) < 0.35) & (y > 0.2)
    luma = 70 + 60 * (x - 0.45 * y + 0.5)
    return _Sprite(
        np.clip(luma, 20, 220).astype(np.uint8),
        int(random.integers(115, 140)),
        int(random.integers(115, 140)),
        barrel | grip,
    )


def _glow(height: int) -> npt.NDArray[np.uint16]:
    size = height // 3 // 2 * 2 + 2
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    near = np.clip(1 - np.hypot(axis[None, :], axis[:, None]), 0, 1)
    glow: npt.NDArray[np.uint16] = (220 * near).astype(np.uint16)
    return glow


def _digit(rows: tuple[str, ...], scale: int) -> npt.NDArray[np.bool_]:
    bits = np.array([[bit == "1" for bit in row] for row in rows])
    return np.kron(bits, np.ones((scale, scale), bool)).astype(bool)
