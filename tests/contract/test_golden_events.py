"""Golden files: one body of every event version ever published. Today's models must read each and write the same; a field
that was added since may come on top.

A new event gets its file by `python tests/contract/golden_events.py`. A file that exists is never edited: other
processes, queues and manifests hold messages like it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import ValidationError

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import EVENTS

GOLDEN = Path(__file__).parent / "golden"
MAX_BODY_BYTES = 32 << 10


def golden(name: str) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads((GOLDEN / f"{name}.json").read_text()))


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_every_event_is_read_and_written_as_it_was(name: str) -> None:
    body = golden(name)
    envelope = Envelope.from_bytes(json.dumps(body).encode())
    assert type(envelope.data) is EVENTS[name]
    assert _without_additions(json.loads(envelope.to_bytes()), body) == body


def test_every_golden_file_is_an_event() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(EVENTS)


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_fields_of_a_later_version_are_ignored(name: str) -> None:
    body = golden(name)
    later = body | {"later": 1, "data": body["data"] | {"later": {"nested": [1]}}}
    assert Envelope.from_bytes(json.dumps(later).encode()) == Envelope.from_bytes(json.dumps(body).encode())


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_an_event_without_its_video_is_refused(name: str) -> None:
    body = golden(name)
    del body["data"]["video_id"]
    with pytest.raises(ValidationError):
        Envelope.from_bytes(json.dumps(body).encode())


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_body_stays_small(name: str) -> None:
    assert len((GOLDEN / f"{name}.json").read_bytes()) < MAX_BODY_BYTES


def test_an_unknown_version_is_refused_in_words() -> None:
    body = golden("clip.ready.v1") | {"type": "clip.ready.v2"}
    with pytest.raises(ValidationError, match=r"unknown event type 'clip\.ready\.v2'"):
        Envelope.from_bytes(json.dumps(body).encode())


def _without_additions(written: Any, known: Any) -> Any:
    """`written`, with only the fields that `known` has."""
    if isinstance(written, dict) and isinstance(known, dict):
        return {name: _without_additions(value, known[name]) for name, value in written.items() if name in known}
    if isinstance(written, list) and isinstance(known, list) and len(written) == len(known):
        return [_without_additions(one, other) for one, other in zip(written, known, strict=True)]
    return written
