"""The words that a caged child and its parent exchange over one socketpair: frames of a kind, a length and a payload.

The parent believes nothing: kinds and lengths are bounded, and what a frame says is checked where it is used."""

from __future__ import annotations

import os
import struct
import threading
from enum import Enum

HEADER = struct.Struct("!cI")
READ = struct.Struct("!QI")
FRACTION = struct.Struct("!d")
LARGEST_READ = 8 << 20


class Kind(bytes, Enum):
    """What a frame is. JOB and DATA go to the child, the others come from it."""

    JOB = b"J"
    DATA = b"D"
    UNSAFE = b"U"
    CAGED = b"C"
    READ = b"R"
    PROGRESS = b"P"
    MADE = b"M"
    RESULT = b"="
    ERROR = b"!"


LARGEST: dict[Kind, int] = {
    Kind.UNSAFE: 4 << 10,
    Kind.CAGED: 4 << 10,
    Kind.READ: READ.size,
    Kind.PROGRESS: FRACTION.size,
    Kind.MADE: 255,
    Kind.RESULT: 16 << 20,
    Kind.ERROR: 64 << 10,
}
EXACT = frozenset({Kind.READ, Kind.PROGRESS})


class Channel:
    """The child's end. Uses read(2) and write(2) alone, so that the cage can deny every socket call. Thread-safe."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._sending = threading.Lock()
        self._reading = threading.Lock()

    def send(self, kind: Kind, payload: bytes) -> None:
        with self._sending:
            rest = memoryview(HEADER.pack(kind.value, len(payload)) + payload)
            while rest:
                rest = rest[os.write(self._fd, rest) :]

    def receive(self) -> bytes:
        """The payload of the next frame. Ends this process where the parent is gone: nobody waits for the result."""
        _, length = HEADER.unpack(self._exactly(HEADER.size))
        return bytes(self._exactly(length))

    def read_source(self, offset: int, length: int) -> bytes:
        """A range of the source object, as the parent reads it from the store."""
        with self._reading:
            self.send(Kind.READ, READ.pack(offset, length))
            return self.receive()

    def hand_over(self, name: str) -> None:
        """Say that the file `name` is complete. Returns once the parent has room for it; from then on it is the parent's."""
        with self._reading:
            self.send(Kind.MADE, name.encode())
            self.receive()

    def _exactly(self, length: int) -> bytearray:
        body = bytearray(length)
        rest = memoryview(body)
        while rest:
            got = os.readv(self._fd, [rest])
            if not got:
                os._exit(0)
            rest = rest[got:]
        return body
