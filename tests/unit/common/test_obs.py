"""Logs, traces and the watchdog."""

from __future__ import annotations

import asyncio
import json
import logging as stdlib_logging
import threading
import time
from collections.abc import Iterator

import pytest
import structlog

from clipstream.common.obs import logging, tracing
from clipstream.common.obs.tracing import Trace
from clipstream.common.obs.watchdog import Watchdog


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = stdlib_logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**configured)
    structlog.contextvars.clear_contextvars()


@pytest.mark.usefixtures("restored_logging")
def test_every_line_is_one_json_object_whoever_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("stt", "INFO")
    structlog.contextvars.bind_contextvars(video_id="v1")
    structlog.get_logger().info("clip_transcribed", segments=3, body=b"\xff", note="two\nlines")
    structlog.get_logger().debug("not_shown")
    stdlib_logging.getLogger("some.library").warning("%d things", 2)
    stdlib_logging.getLogger("aiormq.connection").info("not shown")
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("work_failed")

    ours, foreign, failed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert ours | {"timestamp": ""} == {
        "event": "clip_transcribed", "segments": 3, "body": repr(b"\xff"), "note": "two\nlines", "video_id": "v1",
        "service": "stt", "level": "info", "timestamp": "",
    }  # fmt: skip
    assert ours["timestamp"].endswith("Z")
    assert (foreign["event"], foreign["level"], foreign["logger"]) == ("2 things", "warning", "some.library")
    assert "ValueError: broken" in failed["exception"]


def test_a_span_continues_the_trace_it_is_given() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    child = tracing.continue_or_begin(parent)
    assert child.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert child.span_id != "b7ad6b7169203331"
    assert Trace.read(str(child)) == child


@pytest.mark.parametrize(
    "malformed",
    [
        None,
        "",
        "nonsense",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    ],
)
def test_a_malformed_parent_begins_a_new_trace(malformed: str | None) -> None:
    assert Trace.read(malformed) is None
    begun = tracing.continue_or_begin(malformed)
    assert Trace.read(str(begun)) == begun


async def test_the_watchdog_gives_up_on_a_loop_that_stands_still() -> None:
    given_up = threading.Event()
    watchdog = Watchdog(asyncio.get_running_loop(), interval_s=0.01, patience_s=0.03, misses=2, give_up=given_up.set)
    watchdog.start()
    await asyncio.sleep(0.2)
    assert not given_up.is_set()
    time.sleep(0.5)  # noqa: ASYNC251 - this is the stall
    assert given_up.wait(5)


async def test_the_watchdog_forgives_a_short_stall() -> None:
    given_up = threading.Event()
    watchdog = Watchdog(asyncio.get_running_loop(), interval_s=0.01, patience_s=0.1, misses=3, give_up=given_up.set)
    watchdog.start()
    for _ in range(3):
        time.sleep(0.15)  # noqa: ASYNC251 - this is the stall
        await asyncio.sleep(0.05)
    watchdog.stop()
    assert not given_up.is_set()
