"""Small copies of some of the pictures that pass by on their way to the encoders: the storyboard's tiles and the hover
preview's pictures, raw and in order. Runs in a caged child, in the decoding thread."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import av
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from clipstream.transcode.pictures.hover import preview_slots
from clipstream.transcode.pictures.storyboard import tile_slots, within
from clipstream.transcode.planned import ChunkPlan, Plan


class Taps:
    """Everything one chunk adds to the storyboard and the preview."""

    def __init__(self, plan: Plan, chunk: ChunkPlan, scratch: Path) -> None:
        """Files are written directly below `scratch`. Sizes of 0 in the plan mean that none of that kind is wanted."""
        self._tiles = _Tap(within(tile_slots(plan), chunk), plan.tile, scratch, f"tiles-{chunk.number:05d}.rgb")
        self._preview = _Tap(
            within(preview_slots(plan), chunk), plan.preview, scratch, f"preview-{chunk.number:05d}.rgb"
        )

    def look(self, slot: int, frame: av.VideoFrame, slots: int = 1) -> None:
        """A prepared picture that fills `slots` slots from `slot` on. To be called in order, before the frame belongs to
        an encoder: scaling touches its colour fields."""
        self._tiles.look(slot + slots, frame)
        self._preview.look(slot + slots, frame)

    def finish(self) -> tuple[Path | None, Path | None]:
        """The files, relative to the scratch directory: tiles and preview pictures; None where there is none."""
        return self._tiles.finish(), self._preview.finish()


class _Tap:
    """One file of pictures of one size: RGB, row by row without gaps, picture by picture."""

    def __init__(self, slots: list[int], size: tuple[int, int], scratch: Path, name: str) -> None:
        self._slots = slots if all(size) else []
        self._size, self._path = size, scratch / name
        self._next = 0
        self._due: float = self._slots[0] if self._slots else float("inf")
        self._reformatter = VideoReformatter()
        self._file: BinaryIO | None = None

    def look(self, end_slot: int, frame: av.VideoFrame) -> None:
        """`frame` is what is shown until before `end_slot`. It also stands in for what was lost before it."""
        if self._due >= end_slot:
            return
        picture = self._small(frame)
        self._file = self._file or self._path.open("wb")
        while self._due < end_slot:
            self._file.write(picture)
            self._next += 1
            self._due = self._slots[self._next] if self._next < len(self._slots) else float("inf")

    def finish(self) -> Path | None:
        if self._file is None:
            return None
        self._file.close()
        return Path(self._path.name)

    def _small(self, frame: av.VideoFrame) -> bytes:
        width, height = self._size
        rgb = self._reformatter.reformat(
            frame,
            width,
            height,
            "rgb24",
            dst_colorspace=Colorspace.ITU709,
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
            threads=1,
        )
        [plane] = rgb.planes
        row, packed = width * 3, bytes(plane)
        return b"".join(packed[start : start + row] for start in range(0, height * plane.line_size, plane.line_size))
