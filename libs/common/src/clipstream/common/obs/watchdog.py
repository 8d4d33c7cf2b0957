"""Notices when the event loop stands still. Heartbeats to the broker stop with it, and running work is given to somebody
else; a process that does not turn any more is better ended than believed.

It runs in a thread: nothing on a loop can watch that loop.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable

import structlog

from clipstream.common.obs import metrics

log = structlog.get_logger()


class Watchdog:
    """Asks the loop every `interval_s` to answer; after `misses` answers later than `patience_s` in a row, `give_up`.

    A stopped and continued process (SIGSTOP, a suspended machine) costs one miss, whatever the clock says.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        interval_s: float = 2.0,
        patience_s: float = 15.0,
        misses: int = 4,
        give_up: Callable[[], None] = lambda: os._exit(1),
    ) -> None:
        self._loop = loop
        self._interval_s = interval_s
        self._patience_s = patience_s
        self._misses = misses
        self._give_up = give_up
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        self._loop_thread = threading.get_ident()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        missed = 0
        while not self._stopped.wait(self._interval_s):
            missed = 0 if self._answered() else missed + 1
            if missed and not self._stopped.is_set():
                log.error("event_loop_stalled", missed=missed, stack=self._stack())
            if missed >= self._misses:
                log.critical("event_loop_given_up", after_s=missed * self._patience_s)
                sys.stdout.flush()
                self._give_up()
                return

    def _answered(self) -> bool:
        answer = threading.Event()
        asked = time.monotonic()
        try:
            self._loop.call_soon_threadsafe(answer.set)
        except RuntimeError:  # the loop is closed
            self._stopped.set()
            return True
        answered = answer.wait(self._patience_s)
        metrics.LOOP_LAG_SECONDS.set(time.monotonic() - asked)
        return answered

    def _stack(self) -> str:
        """What the loop's thread is doing instead."""
        frame = sys._current_frames().get(self._loop_thread)
        return "".join(traceback.format_stack(frame, limit=20)) if frame else "unknown"
