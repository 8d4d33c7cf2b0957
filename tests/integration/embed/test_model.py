"""The committed frame model: built by its script to the byte, and good for what it is for."""

from __future__ import annotations

import json
from pathlib import Path

import av
import build_frame_model
import numpy as np
import numpy.typing as npt
import pytest

from clipstream.common.errors import Permanent
from clipstream.embed.frames import sample_frames
from clipstream.embed.processor import BATCH, Encoder
from corpus.gameplay import render_clip

MODEL = Path(__file__).parents[3] / "models" / "frame-descriptor-v1"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(MODEL)


def vectors(encoder: Encoder, clip: Path, scratch: Path) -> npt.NDArray[np.float32]:
    scratch.mkdir()
    with clip.open("rb") as media:
        grid = sample_frames(media, width=64, height=64, scratch=scratch)
    return encoder.encode_file(scratch / grid.file, len(grid.times_s))


def test_building_again_gives_the_committed_bytes() -> None:
    model = build_frame_model.build()
    assert model == (MODEL / "model.onnx").read_bytes(), "run tools/build_frame_model.py, and raise its version"
    assert build_frame_model.card(model) == (MODEL / "model.json").read_text()


def test_vectors_have_unit_length_and_the_promised_size(encoder: Encoder) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (BATCH + 3, 64, 64, 3), np.uint8)
    encoded = encoder.encode(frames)
    assert encoded.dtype == np.float32
    assert encoded.shape == (BATCH + 3, encoder.card.dimension)
    assert np.linalg.norm(encoded, axis=1) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture_has_a_direction(encoder: Encoder, level: int) -> None:
    [vector] = encoder.encode(np.full((1, 64, 64, 3), level, np.uint8))
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_a_batch_does_not_change_a_vector(encoder: Encoder) -> None:
    frames = np.random.default_rng(2).integers(0, 256, (5, 64, 64, 3), np.uint8)
    alone = np.concatenate([encoder.encode(frame[None]) for frame in frames])
    assert encoder.encode(frames) == pytest.approx(alone, abs=1e-5)


def test_no_frames_are_no_vectors(encoder: Encoder, tmp_path: Path) -> None:
    assert encoder.encode_file(tmp_path / "none", 0).shape == (0, encoder.card.dimension)


def test_a_worse_copy_is_nearer_than_any_other_clip(encoder: Encoder, tmp_path: Path) -> None:
    """A quarter of the pixels and a tenth of the bits, against five other matches in the same game."""
    clips = [
        vectors(
            encoder,
            render_clip(tmp_path / f"{seed}.mp4", seed=seed, duration_s=4, fps=10, width=640, height=360, audio=False),
            tmp_path / str(seed),
        )
        for seed in range(5)
    ]
    copy = vectors(encoder, worse(tmp_path / "0.mp4", tmp_path / "copy.mp4"), tmp_path / "copy")
    same = (clips[0] * copy).sum(axis=1)
    others = max(float((clip @ copy.T).max()) for clip in clips[1:])
    assert float(same.min()) > 0.97
    assert float(same.min()) > others + 0.15


def worse(source: Path, target: Path) -> Path:
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        video = writer.add_stream("libx264", rate=10, options={"preset": "ultrafast", "crf": "40"})
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        for frame in reader.decode(video=0):
            frame.pict_type = 0
            writer.mux(video.encode(frame))
        writer.mux(video.encode(None))
    return target


def test_a_model_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"EMBED_MODEL .* model\.onnx and model\.json"):
        Encoder.load(tmp_path)


def test_a_model_that_is_another_file_is_refused(tmp_path: Path) -> None:
    card = json.loads((MODEL / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(card))
    (tmp_path / "model.onnx").write_bytes((MODEL / "model.onnx").read_bytes() + b"\0")
    with pytest.raises(Permanent, match=r"not the file that its model\.json describes"):
        Encoder.load(tmp_path)
