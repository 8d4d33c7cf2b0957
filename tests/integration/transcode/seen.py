"""Posters, tiles and previews of real files, and how like the drawn world they are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from clipstream.common.contracts.media import MediaInfo
from clipstream.ingest.processor import Bounds, probe
from clipstream.transcode.made import Poster
from clipstream.transcode.pictures.hover import compose_preview
from clipstream.transcode.pictures.picture import Preparation
from clipstream.transcode.pictures.poster import draw_poster
from clipstream.transcode.pictures.sprite import compose
from clipstream.transcode.pictures.taps import Taps
from clipstream.transcode.planned import Plan
from corpus.gameplay import render_clip
from corpus.world import World
from unit.transcode.pictured import plan_of

small_clip = partial(render_clip, width=320, height=180)
Luma = npt.NDArray[np.uint8]


def facts(source: Path) -> MediaInfo:
    with source.open("rb") as media:
        return probe(media, bounds=Bounds(min_duration_s=0.01)).media


def drawn(source: Path, scratch: Path, media: MediaInfo | None = None) -> Poster:
    with source.open("rb") as file:
        return draw_poster(file, scratch=scratch, media=media or facts(source))


def opened(file: Path) -> Image.Image:
    picture = Image.open(file)
    assert picture.format == "JPEG"
    return picture.convert("RGB")


def alike(picture: Image.Image, truth: Luma) -> float:
    """Correlation of a picture and what was drawn."""
    luma = np.asarray(picture.convert("L").resize((truth.shape[1], truth.shape[0])))
    return float(np.corrcoef(luma.ravel(), truth.ravel())[0, 1])


def best(picture: Image.Image, seed: int, times: list[float], turns: int = 0) -> float:
    return max(alike(picture, np.ascontiguousarray(np.rot90(World(seed, 320, 180).draw(t).y, -turns))) for t in times)


def seen(frame: av.VideoFrame) -> Image.Image:
    return Image.fromarray(frame.to_ndarray(format="rgb24", interpolation="BICUBIC"))


def tapped(source: Path, scratch: Path) -> tuple[Plan, Image.Image, list[av.VideoFrame]]:
    """The sprite and the preview's pictures, made as a chunk that is the whole clip would."""
    media = facts(source)
    assert media.video is not None
    plan = plan_of(media.duration_s, rate=(round(media.video.frame_rate), 1), video=media.video)
    preparation, taps = Preparation(media.video), Taps(plan, plan.chunks[0], scratch)
    with av.open(str(source)) as container:
        for slot, frame in enumerate(prepared(preparation, container.decode(video=0))):
            taps.look(slot, frame)
    tiles, pictures = taps.finish()
    assert tiles is not None
    assert pictures is not None
    jpeg, _ = compose({1: (scratch / tiles).read_bytes()}, plan)
    preview = compose_preview({1: (scratch / pictures).read_bytes()}, plan)
    with av.open(io.BytesIO(preview), "r") as container:
        return plan, Image.open(io.BytesIO(jpeg)).convert("RGB"), list(container.decode(video=0))


def prepared(preparation: Preparation, frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    for frame in frames:
        yield from preparation(frame)
    yield from preparation.flush()
