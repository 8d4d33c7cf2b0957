"""Runs a service that dies once, by SIGKILL, at a named point of a stage's work: `kill_at.py POINT MARKERS MODULE`.

A marker file for each queue says that its worker has died already, so that the restarted service lives.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import Event
from clipstream.common.stage.attempt import Attempt
from clipstream.common.stage.job import StageJobs
from clipstream.common.stage.manifest import Manifest

POINTS = ("begun", "at_work", "outputs_written", "manifest_written", "events_published")
AT_WORK_S = 0.25  # long enough for a child to have been started, short enough for every stage


def arm(point: str, markers: Path) -> None:
    """Put a trap at the point into the runner."""
    answer, publish = StageJobs._answer, StageJobs._publish

    def die(queue: str) -> None:
        try:
            (markers / queue).touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    async def trapped_answer(self: StageJobs[Any], event: Event, attempt: Attempt) -> Sequence[Event]:
        if point == "begun":
            die(self.spec.source)
        if point == "at_work":
            asyncio.get_running_loop().call_later(AT_WORK_S, die, self.spec.source)
        events = await answer(self, event, attempt)
        if point == "outputs_written":
            die(self.spec.source)
        return events

    async def trapped_publish(self: StageJobs[Any], envelope: Envelope, made: Manifest) -> None:
        if point == "manifest_written":
            die(self.spec.source)
        await publish(self, envelope, made)
        if point == "events_published":
            die(self.spec.source)

    StageJobs._answer = trapped_answer  # type: ignore[method-assign]
    StageJobs._publish = trapped_publish  # type: ignore[method-assign]


if __name__ == "__main__":
    arm(sys.argv[1], Path(sys.argv[2]))
    runpy.run_module(sys.argv[3], run_name="__main__")
