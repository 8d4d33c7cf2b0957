"""A stage as a process of its own: started, stopped, killed, deprived of its servers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import unused_port

from clipstream.common.bus.rabbit import RabbitBus, connect
from clipstream.common.bus.topology import PROJECTOR_QUEUE, QUEUES
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipDeleted, ClipFailed, ClipIngested, ClipProgress
from fixtures import clips
from fixtures.broker import Broker
from fixtures.inbox import Inbox, until

PROGRAM = Path(__file__).with_name("waiting_stage.py")
TESTS = Path(__file__).parents[2]


@dataclass
class Running:
    """A started stage."""

    process: Process
    port: int
    log: Path

    async def healthy(self) -> bool:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self.port}/health") as answer,
            ):
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(40):
            return await self.process.wait()


class Stages:
    """Starts stage processes on one broker and one store, and opens the gates their work waits at."""

    def __init__(self, broker: Broker, home: Path, opened: AsyncExitStack) -> None:
        self.home = home
        self._broker = broker
        self._opened = opened
        self._count = 0

    async def start(self, **more: str) -> Running:
        running = await self.start_unchecked(**more)
        await until(running.healthy)
        return running

    async def start_unchecked(self, **more: str) -> Running:
        self._count += 1
        port, log = unused_port(), self.home / f"stage-{self._count}.log"
        environment: Mapping[str, str] = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - what a child needs
            "PYTHONPATH": str(TESTS),
            "AMQP_URL": self._broker.url,
            "STORAGE_ROOT": str(self.home / "storage"),
            "SCRATCH_DIR": str(self.home / "scratch"),
            "INTERNAL_PORT": str(port),
            "GATE": str(self.home),
            **more,
        }
        with log.open("w") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, PROGRAM, env=environment, stdout=output, stderr=PIPE
            )
        running = Running(process, port, log)
        self._opened.push_async_callback(_ended, process)
        return running

    def begun(self, envelope: Envelope) -> list[str]:
        """The runs that have begun on an event's video."""
        path = self.home / f"{envelope.data.video_id}.begun"
        return path.read_text().split() if path.exists() else []

    async def has_begun(self, envelope: Envelope, runs: int = 1) -> None:
        async def so() -> bool:
            return len(self.begun(envelope)) >= runs

        await until(so)

    def let_go(self, envelope: Envelope) -> None:
        (self.home / f"{envelope.data.video_id}.go").touch()

    def scratch(self) -> list[Path]:
        return [path for path in (self.home / "scratch").rglob("*") if path.name == "half"]


async def _ended(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


@pytest.fixture
async def stages(broker: Broker, tmp_path: Path) -> AsyncIterator[Stages]:
    async with AsyncExitStack() as opened:
        yield Stages(broker, tmp_path, opened)


@asynccontextmanager
async def observed(broker: Broker) -> AsyncIterator[tuple[RabbitBus, Inbox[Envelope], Inbox[ClipProgress]]]:
    bus = await connect(broker.settings, "observer")
    answers, progress = Inbox[Envelope](), Inbox[ClipProgress]()
    types = QUEUES[PROJECTOR_QUEUE]

    async def keep(envelope: Envelope) -> None:
        if isinstance(envelope.data, ClipIngested | ClipFailed):
            await answers(envelope)

    await bus.consume(PROJECTOR_QUEUE, types, keep, slots=8)
    await bus.consume_progress(progress)
    yield bus, answers, progress
    await bus.drain(timedelta(0))
    await bus.close()


async def test_sigterm_lets_running_work_end_and_leaves_the_rest_to_others(stages: Stages, broker: Broker) -> None:
    async with observed(broker) as (bus, answers, _):
        stage = await stages.start()
        sent = [clips.envelope() for _ in range(4)]
        for envelope in sent[:2]:
            await bus.publish(envelope)
            await stages.has_begun(envelope)
        for envelope in sent[2:]:
            await bus.publish(envelope)
        stopping = asyncio.create_task(stage.stop())
        await until(lambda: _refused(stage))
        for envelope in sent:
            stages.let_go(envelope)
        assert await stopping == 0
        assert {(await answers.next()).causationid for _ in range(2)} == {envelope.id for envelope in sent[:2]}
        assert not any(stages.begun(envelope) for envelope in sent[2:])
        assert not stages.scratch()

        await stages.start()
        assert {(await answers.next()).causationid for _ in range(2)} == {envelope.id for envelope in sent[2:]}
        assert answers.empty()


async def test_a_killed_stage_has_its_work_done_by_the_next_and_its_scratch_removed(
    stages: Stages, broker: Broker
) -> None:
    async with observed(broker) as (bus, answers, progress):
        first = await stages.start()
        sent = clips.envelope()
        await bus.publish(sent)
        await stages.has_begun(sent)
        assert [(await progress.next()).state, (await progress.next()).note] == ["started", "waiting"]
        first.process.kill()
        await first.process.wait()
        assert stages.scratch()

        await stages.start()
        await stages.has_begun(sent, runs=2)
        assert len(stages.scratch()) == 1
        stages.let_go(sent)
        assert (await answers.next()).causationid == sent.id
        assert answers.empty()


async def test_the_same_event_delivered_eight_times_is_worked_on_once(stages: Stages, broker: Broker) -> None:
    async with observed(broker) as (bus, answers, _):
        await stages.start()
        sent = clips.envelope()
        await asyncio.gather(*(bus.publish(sent) for _ in range(8)))
        await stages.has_begun(sent)
        stages.let_go(sent)
        ids = {(await answers.next()).id}
        following = clips.envelope()
        stages.let_go(following)
        await bus.publish(following)
        while (answer := await answers.next()).causationid != following.id:
            ids.add(answer.id)
        assert len(ids) == 1
        assert len(stages.begun(sent)) == 1


async def test_a_deleted_videos_work_stops_in_every_process(stages: Stages, broker: Broker) -> None:
    async with observed(broker) as (bus, answers, _):
        await stages.start()
        await stages.start()
        sent = clips.envelope()
        await bus.publish(sent)
        await stages.has_begun(sent)
        deleted = ClipDeleted(video_id=sent.data.video_id, stream_id=sent.data.stream_id)
        await bus.publish(sent.follow(deleted, stage="gateway"))

        async def gone() -> bool:
            return not stages.scratch()

        await until(gone)
        stages.let_go(sent)
        assert answers.empty()


async def test_every_line_of_its_log_is_json_and_names_the_video(stages: Stages, broker: Broker) -> None:
    async with observed(broker) as (bus, answers, _):
        stage = await stages.start()
        sent = clips.envelope()
        stages.let_go(sent)
        await bus.publish(sent)
        await answers.next()
        assert await stage.stop() == 0
        lines = stage.lines()
        (done,) = [line for line in lines if line["event"] == "stage_attempted"]
        assert (done["video_id"], done["outcome"], done["service"]) == (str(sent.data.video_id), "done", "ingest")
        started = next(line for line in lines if line["event"] == "service_started")
        assert "***@" in started["amqp_url"]
        assert broker.url.split(":")[2].split("@")[0] not in stage.log.read_text()


async def test_a_stage_that_finds_no_broker_says_so_and_ends(stages: Stages) -> None:
    stage = await stages.start_unchecked(AMQP_URL="amqp://nobody:nothing@127.0.0.1:1/")
    await until(lambda: _awaits(stage))
    assert stage.process.returncode is None
    assert await stage.stop() != 0


async def _awaits(stage: Running) -> bool:
    return '"broker_awaited"' in stage.log.read_text()


async def _refused(stage: Running) -> bool:
    """It has stopped taking work: its health says so."""
    return not await stage.healthy()
