"""Bringing packages where that cannot work: one line that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipstream.standalone import rabbitmq
from clipstream.standalone.errors import CannotFetch


@pytest.fixture(autouse=True)
def _nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq, "_find", lambda root: None)


def _refusal(tools: Path) -> str:
    with pytest.raises(CannotFetch) as refusal:
        rabbitmq.installation(tools)
    assert sorted(path.name for path in tools.iterdir()) == [".rabbitmq.lock"]
    return str(refusal.value)


def test_a_system_without_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _refusal(tmp_path) == (
        "RabbitMQ cannot be brought here: this system has no apt-get. Install rabbitmq-server 3.10 or later, or set AMQP_URL."
    )


def test_a_system_without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, body in {
        "apt-cache": "echo rabbitmq-server",
        "dpkg-query": "true",
        "dpkg": "true",
        "apt-get": "echo 'E: Could not resolve the archive' >&2; exit 100",
    }.items():
        (commands / name).write_text(f"#!/bin/sh\n{body}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    tools = tmp_path / "tools"
    tools.mkdir()
    message = _refusal(tools)
    assert "apt-get update failed (E: Could not resolve the archive)" in message
    assert "set AMQP_URL" in message
    assert "\n" not in message
