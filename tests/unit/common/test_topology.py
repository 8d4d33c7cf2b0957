"""Names and arguments that outlive a deployment."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest

from clipstream.common.bus.topology import QUEUES, Topology, retry_exchange, retry_queue, work_arguments
from clipstream.common.contracts.events import EVENTS, ClipAdmitted, ClipProgress, Stage, UploadCompleted


def test_every_stage_has_its_queue() -> None:
    assert set(get_args(Stage)) <= set(QUEUES)


def test_every_event_but_progress_is_taken_by_some_queue() -> None:
    taken = {event for types in QUEUES.values() for event in types}
    assert taken == set(EVENTS.values()) - {ClipProgress}


@pytest.mark.parametrize(
    ("delay", "name"),
    [
        (timedelta(seconds=5), "retry.5s"),
        (timedelta(seconds=90), "retry.90s"),
        (timedelta(minutes=30), "retry.30m"),
        (timedelta(milliseconds=250), "retry.250ms"),
    ],
)
def test_a_retry_queue_is_named_after_its_delay(delay: timedelta, name: str) -> None:
    assert retry_queue(delay) == name
    assert retry_exchange(delay) == f"clipstream.{name}"


def test_arguments_of_a_work_queue_do_not_change() -> None:
    """The broker refuses a queue that exists with other arguments: a change here needs new queue names."""
    assert work_arguments("stt") == {
        "x-queue-type": "quorum",
        "x-delivery-limit": 3,
        "x-dead-letter-exchange": "clipstream.dead",
        "x-dead-letter-routing-key": "stt",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-consumer-timeout": 7_200_000,
    }


def test_consuming_what_is_not_bound_is_refused_in_words() -> None:
    topology = Topology(queues={"stt": (ClipAdmitted,)})
    topology.check("stt", [ClipAdmitted])
    with pytest.raises(ValueError, match="no queue 'sst'"):
        topology.check("sst", [ClipAdmitted])
    with pytest.raises(ValueError, match=r"bound to 'stt' are clip\.admitted\.v1"):
        topology.check("stt", [UploadCompleted])
