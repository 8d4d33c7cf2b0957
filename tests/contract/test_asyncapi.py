"""The published description of the events is what the code does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from clipstream.common.asyncapi import EMITTERS, document
from clipstream.common.bus.topology import QUEUES
from clipstream.common.contracts.events import EVENTS

ROOT = Path(__file__).resolve().parents[2]


def test_the_document_is_current() -> None:
    command = [sys.executable, str(ROOT / "tools" / "write_asyncapi.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_event_has_a_sender_and_every_stage_sends() -> None:
    assert {event for types in EMITTERS.values() for event in types} == set(EVENTS.values())
    stages = {queue for queue in QUEUES if "." not in queue}
    assert stages | {"gateway"} == set(EMITTERS)


def test_every_reference_leads_somewhere() -> None:
    described = document("0")

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [found for inner in value.values() for found in references(inner)]
        return [found for inner in value for found in references(inner)] if isinstance(value, list) else []

    for reference in references(described):
        place: object = described
        for part in reference.removeprefix("#/").split("/"):
            assert isinstance(place, dict)
            place = place[part]
