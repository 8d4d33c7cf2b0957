"""What people type: times, places, servers."""

from __future__ import annotations

import pytest
import typer

from clipstream.client.cli import console
from clipstream.client.cli.options import duration_s, position_s
from clipstream.client.cli.session import normalized


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("12H", 43_200), (" 7d", 604_800), ("2w", 1_209_600)]
)
def test_times(text: str, seconds: int) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0d", "-1h", "1.5h", "7 days", "d", "١d"])
def test_no_times(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        duration_s(text)


@pytest.mark.parametrize(("text", "seconds"), [("83.5", 83.5), ("1:23.5", 83.5), ("1:02:03", 3723.0), ("0", 0.0)])
def test_places(text: str, seconds: float) -> None:
    assert position_s(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:-2", "1:2:3:4", "abc", "nan", "1e3"])
def test_no_places(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        position_s(text)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("clips.example", "https://clips.example"),
        ("clips.example:8443/", "https://clips.example:8443"),
        ("localhost:8080", "http://localhost:8080"),
        ("http://Clips.Example/base/", "http://clips.example/base"),
        ("[::1]:80", "http://[::1]"),
    ],
)
def test_servers(text: str, server: str) -> None:
    assert normalized(text) == server


@pytest.mark.parametrize("text", ["ftp://clips.example", "http://", "http://[", "file:///etc/passwd"])
def test_no_servers(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        normalized(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0.0, "0:00.0"), (83.46, "1:23.5"), (3723.0, "1:02:03.0"), (59.96, "1:00.0")]
)
def test_lengths(seconds: float | None, text: str) -> None:
    assert console.length(seconds) == text
