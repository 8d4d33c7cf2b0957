"""A thread that takes items in order through a bounded queue. libav releases the GIL while it encodes, so that lanes run side
by side."""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")

QUEUED = 8


class Lane(ABC, Generic[T]):
    """Takes what is put, and finishes when the block ends well. An error in it is raised to whoever puts or closes."""

    def __init__(self, name: str) -> None:
        self._items: queue.Queue[T | None] = queue.Queue(QUEUED)
        self._error: BaseException | None = None
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._abandoned = error is not None
        self._items.put(None)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def put(self, item: T) -> None:
        if self._error is not None:
            raise self._error
        self._items.put(item)

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            self._guard(partial(self._take, item))
        self._guard(self._finish)

    def _guard(self, step: Callable[[], None]) -> None:
        """Do the next step, unless one before it failed or nobody wants the result any more."""
        if self._abandoned or self._error is not None:
            return
        try:
            step()
        except BaseException as error:  # carried to the other thread, which raises it
            self._error = error

    @abstractmethod
    def _take(self, item: T) -> None: ...

    @abstractmethod
    def _finish(self) -> None: ...
