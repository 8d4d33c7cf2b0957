"""A consumer whose process dies in the middle of every message; run as a program by test_crashes.py."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from pydantic import AmqpDsn

from clipstream.common.bus.rabbit import connect
from clipstream.common.bus.topology import Topology
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipAdmitted, UploadCompleted
from clipstream.common.settings import BusSettings

TOPOLOGY = Topology(
    queues={"ingest": (UploadCompleted,), "stt": (ClipAdmitted,)},
    retry_steps=(timedelta(milliseconds=100), timedelta(milliseconds=500)),
)


async def main(url: str, crashes: Path) -> None:
    async def crash(_: Envelope) -> None:
        with crashes.open("a") as file:
            file.write("crashed\n")
        os._exit(9)

    bus = await connect(BusSettings(amqp_url=AmqpDsn(url)), "crashing", topology=TOPOLOGY)
    await bus.consume("ingest", [UploadCompleted], crash)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
