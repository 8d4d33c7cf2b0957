"""How root starts a server that refuses root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clipstream.standalone import unprivileged
from clipstream.standalone.errors import CannotStart

_PROGRAM, _HOME = Path("/usr/bin/postgres"), Path("/usr/share/postgres")


def _only(monkeypatch: pytest.MonkeyPatch, allowed: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(unprivileged, "_succeeds", lambda *command: command[0] == allowed)


def test_an_ordinary_user_starts_it_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert unprivileged.identification(_PROGRAM, _HOME).prefix == ()


def test_root_prefers_a_user_namespace_where_files_stay_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, "unshare")
    chosen = unprivileged.identification(_PROGRAM, _HOME)
    assert chosen.prefix[0] == "unshare"
    assert chosen.owner == (0, 0)


def test_without_namespaces_root_becomes_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, "setpriv")
    chosen = unprivileged.identification(_PROGRAM, _HOME)
    assert chosen.prefix[0] == "setpriv"
    assert 0 not in chosen.owner


def test_under_sudo_it_runs_as_the_owner_of_the_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _only(monkeypatch, "setpriv")
    found = tmp_path.stat()
    monkeypatch.setattr(Path, "stat", lambda self: os.stat_result((found.st_mode, 0, 0, 1, 1234, 5678, 0, 0, 0, 0)))
    assert unprivileged.identification(_PROGRAM, tmp_path / "postgres").owner == (1234, 5678)


def test_where_nobody_may_go_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, "nothing")
    with pytest.raises(CannotStart, match=r"others may not enter /usr/share .*set DATABASE_URL"):
        unprivileged.identification(_PROGRAM, _HOME)
