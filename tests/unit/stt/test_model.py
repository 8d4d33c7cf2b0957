"""A model that cannot be had is told in words, before any network is asked."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from clipstream.common.errors import Permanent
from clipstream.stt.model import REQUIRED_FILES, find_model


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in (*REQUIRED_FILES, "vocabulary.json"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_a_complete_directory_is_found(directory: Path) -> None:
    model = find_model(str(directory))
    assert (model.source, model.name, model.kind) == (str(directory), directory.name, "general")


def test_the_card_names_a_demo_model(directory: Path) -> None:
    (directory / "model.json").write_text('{"name": "demo-whisper", "kind": "demo"}')
    assert (find_model(str(directory)).name, find_model(str(directory)).kind) == ("demo-whisper", "demo")


def test_a_hub_name_is_left_to_the_engine() -> None:
    assert find_model("small").source == "small"


@pytest.mark.parametrize("configured", [None, ""])
def test_unset_says_what_to_set(configured: str | None) -> None:
    with pytest.raises(Permanent, match="set STT_MODEL"):
        find_model(configured)


def test_a_missing_directory_is_named() -> None:
    with pytest.raises(Permanent, match="/nowhere/model does not exist"):
        find_model("/nowhere/model")


@pytest.mark.parametrize("name", [*REQUIRED_FILES, "vocabulary.json"])
def test_a_missing_file_is_named(directory: Path, name: str) -> None:
    (directory / name).unlink()
    with pytest.raises(Permanent, match=name):
        find_model(str(directory))


def test_an_altered_file_is_named(directory: Path) -> None:
    digest = hashlib.sha256(b"something else").hexdigest()
    (directory / "SHA256SUMS").write_text(f"{digest}  model.bin\n")
    with pytest.raises(Permanent, match=r"altered: model\.bin"):
        find_model(str(directory))
