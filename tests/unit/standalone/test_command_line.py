"""The command line: what it refuses, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipstream.standalone.__main__ import main


@pytest.mark.parametrize("scale", ["transcode", "transcode=0", "gateway=2", "stt=99"])
def test_a_scale_that_makes_no_sense(scale: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--scale", scale])
    assert "write STAGE=N with one of ingest, dedupe, transcode, stt, embed, search" in capsys.readouterr().err


def test_the_same_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLIPSTREAM_SCALE", "transcode=two")
    assert main(["--root", str(tmp_path), "run"]) == 1
    assert "CLIPSTREAM_SCALE cannot be used" in capsys.readouterr().out


def test_where_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(tmp_path), "stop"]) == 0
    assert main(["--root", str(tmp_path), "status"]) == 3
    assert capsys.readouterr().out.count("Clipstream is not running here.") == 2
