"""Directories that are filled once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from clipstream.standalone.placing import place


def test_many_askers_fill_it_once(tmp_path: Path) -> None:
    fills: list[Path] = []

    def fill(draft: Path) -> None:
        fills.append(draft)
        (draft / "part").write_text("complete")

    askers = [threading.Thread(target=place, args=(tmp_path / "tool", fill)) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(fills) == 1
    assert (tmp_path / "tool/part").read_text() == "complete"


def test_a_failed_fill_leaves_nothing_and_the_next_one_starts_afresh(tmp_path: Path) -> None:
    def fail(draft: Path) -> None:
        (draft / "half").write_text("half")
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        place(tmp_path / "tool", fail)
    assert [path.name for path in tmp_path.iterdir()] == [".tool.lock"]
    place(tmp_path / "tool", lambda draft: (draft / "whole").touch())
    assert [path.name for path in (tmp_path / "tool").iterdir()] == ["whole"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".tool-abandoned").mkdir()
    place(tmp_path / "tool", lambda draft: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tool.lock", "tool"]
