"""Turns pictures into vectors with an ONNX model. Pure: arrays in, arrays out; the model is a directory."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from pydantic import BaseModel, ConfigDict, ValidationError

from clipstream.common.errors import Permanent

BATCH = 64

Pixels = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float32]


class ModelInput(BaseModel):
    """The pictures a model wants: RGB, uint8, rows first."""

    model_config = ConfigDict(frozen=True)
    width: int
    height: int


class ModelCard(BaseModel):
    """`model.json`: what the vectors are called, and which file makes them."""

    model_config = ConfigDict(frozen=True)
    name: str
    version: str
    dimension: int
    sha256: str
    input: ModelInput


class Encoder:
    """A loaded model. Calls may come from any thread; onnxruntime releases the GIL."""

    def __init__(self, session: onnxruntime.InferenceSession, card: ModelCard) -> None:
        self._session = session
        self.card = card

    @classmethod
    def load(cls, directory: Path, *, threads: int = 1) -> Encoder:
        """Load `model.onnx` beside `model.json`. `Permanent`, with a sentence for the operator, where that cannot be."""
        try:
            card = ModelCard.model_validate_json((directory / "model.json").read_bytes())
            model = (directory / "model.onnx").read_bytes()
        except (OSError, ValidationError) as error:
            raise Permanent(
                f"EMBED_MODEL names no usable model: {directory} must hold model.onnx and model.json."
            ) from error
        if hashlib.sha256(model).hexdigest() != card.sha256:
            raise Permanent(f"The model in {directory} is not the file that its model.json describes; fetch it again.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return cls(session, card)

    def encode(self, frames: Pixels) -> Vectors:
        """Vectors of unit length, float32 [n, dimension], for frames uint8 [n, height, width, 3]."""
        vectors = np.empty((len(frames), self.card.dimension), np.float32)
        for start in range(0, len(frames), BATCH):
            batch = np.ascontiguousarray(frames[start : start + BATCH])
            vectors[start : start + BATCH] = self._session.run(["vectors"], {"frames": batch})[0]
        return vectors

    def encode_file(self, file: Path, count: int) -> Vectors:
        """The same for `count` frames that lie one after another in a file."""
        size = self.card.input
        if not count:
            return np.empty((0, self.card.dimension), np.float32)
        frames = np.memmap(file, np.uint8, "r", shape=(count, size.height, size.width, 3))
        return self.encode(frames)
