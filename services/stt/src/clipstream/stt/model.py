"""Finding the speech model, and saying in words what is missing where it cannot be had."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clipstream.common.errors import Permanent

# Without tokenizer.json faster-whisper would silently ask the network for one.
REQUIRED_FILES = ("model.bin", "config.json", "tokenizer.json")
VOCABULARIES = ("vocabulary.json", "vocabulary.txt")


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """A model that can be loaded: `source` is a directory or a hub name."""

    source: str
    name: str
    kind: Literal["demo", "general"]


def find_model(configured: str | None) -> SpeechModel:
    """The model that `STT_MODEL` names. Raises `Permanent` with what is missing and what to do."""
    if not configured:
        raise Permanent("No speech model is configured: set STT_MODEL to a model directory, then retry this stage.")
    directory = Path(configured)
    if directory.is_dir():
        return _local(directory)
    if configured.startswith((".", "/", "~")):
        raise Permanent(f"The speech model directory {configured} does not exist: mount it, then retry this stage.")
    return SpeechModel(source=configured, name=configured, kind="general")


def _local(directory: Path) -> SpeechModel:
    missing = [name for name in REQUIRED_FILES if not (directory / name).is_file()]
    if not any((directory / name).is_file() for name in VOCABULARIES):
        missing.append(" or ".join(VOCABULARIES))
    if missing:
        raise Permanent(f"The speech model in {directory} is incomplete: {', '.join(missing)} is missing.")
    _check_sums(directory)
    card = directory / "model.json"
    facts = json.loads(card.read_text()) if card.is_file() else {}
    return SpeechModel(
        source=str(directory),
        name=str(facts.get("name", directory.name)),
        kind="demo" if facts.get("kind") == "demo" else "general",
    )


def _check_sums(directory: Path) -> None:
    listing = directory / "SHA256SUMS"
    if not listing.is_file():
        return
    for line in listing.read_text().splitlines():
        expected, _, name = line.partition("  ")
        path = directory / name.strip().lstrip("*")
        if not path.is_file():
            raise Permanent(f"The speech model in {directory} is incomplete: {path.name} is missing.")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                raise Permanent(f"The speech model in {directory} was altered: {path.name} does not match SHA256SUMS.")
