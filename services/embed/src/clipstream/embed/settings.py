"""Settings of the embed service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from clipstream.common.settings import StageSettings


class Settings(StageSettings):
    """`EMBED_MODEL` is a directory with `model.onnx` and `model.json`."""

    embed_model: Path
    embed_threads: int = Field(default=1, ge=1)
