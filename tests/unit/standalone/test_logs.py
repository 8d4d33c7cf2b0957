"""Logs that other processes append to."""

from __future__ import annotations

from pathlib import Path

from clipstream.standalone.logs import keep_short, tail


def test_a_grown_log_is_set_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "stage.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old line\n" * 100)
        keep_short(log, limit=500)
        writer.write(b"new line\n")
        keep_short(log, limit=500)
    assert log.read_bytes() == b"new line\n"
    assert log.with_suffix(".log.1").read_bytes() == b"old line\n" * 100


def test_the_tail_is_what_came_last(tmp_path: Path) -> None:
    log = tmp_path / "stage.log"
    assert tail(log) == ""
    log.write_text("".join(f"line {number}\n" for number in range(5000)))
    assert tail(log, lines=2) == "line 4998\nline 4999"
