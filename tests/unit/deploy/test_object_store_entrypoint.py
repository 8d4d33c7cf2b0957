"""The object store's entrypoint: what a power cut left in the event directory must neither stop the server nor the
announcements behind it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
EVENT = json.dumps(
    {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "s3": {
            "bucket": {"name": "clipstream"},
            "object": {"key": "raw-uploads%2Fa.mp4", "size": 3, "sequencer": "187E"},
        },
        "source": {"host": "10.0.0.7", "port": "", "userAgent": 'Mozilla/5.0 (X11) }{ "quoted"'},
    }
).encode()


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    queue = tmp_path / "events/minio-amqp-CLIPSTREAM"
    queue.mkdir(parents=True)
    return queue


def start(queue: Path) -> str:
    """Run the entrypoint with a server that only says how it was called."""
    programs = queue.parents[1] / "bin"
    programs.mkdir()
    server = programs / "minio"
    server.write_text('#!/bin/sh\necho "started: $*"\n')
    server.chmod(0o755)
    done = subprocess.run(
        ["sh", ROOT / "deploy/minio/entrypoint.sh", "server", "/data"],
        env={
            "PATH": f"{programs}{os.pathsep}{os.defpath}",
            "MINIO_NOTIFY_AMQP_QUEUE_DIR_CLIPSTREAM": str(queue.parent),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "started: server /data\n"
    return done.stderr


def test_waiting_events_stay(queue: Path) -> None:
    (queue / "a.event").write_bytes(EVENT)
    (queue / "b.event").write_bytes(EVENT + b"\n")
    assert start(queue) == ""
    assert sorted(path.name for path in queue.iterdir()) == ["a.event", "b.event"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.event", bytes(400), id="NUL bytes crash the server"),
        pytest.param("a.event", EVENT[:200] + bytes(200), id="NUL bytes at the end"),
        pytest.param("a.event", EVENT[:-1], id="cut off at the end"),
        pytest.param("a.event", EVENT[: EVENT.index(b"}") + 1], id="cut off behind a brace"),
        pytest.param("a.event", b"", id="empty"),
        pytest.param("README.txt", b"{}", id="foreign"),
        pytest.param(".hidden", b"{}", id="hidden"),
    ],
)
def test_damaged_files_are_put_aside(queue: Path, name: str, content: bytes) -> None:
    (queue / name).write_bytes(content)
    (queue / "whole.event").write_bytes(EVENT)
    assert name in start(queue)
    assert [path.name for path in queue.iterdir()] == ["whole.event"]
    (moved,) = (queue.parent / "damaged").iterdir()
    assert moved.name.endswith(name)
    assert moved.read_bytes() == content


def test_a_new_server_has_no_directory_yet(queue: Path) -> None:
    queue.rmdir()
    assert start(queue) == ""
