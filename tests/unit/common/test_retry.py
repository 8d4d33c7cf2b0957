"""The retry decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipstream.common.bus.retry import STEPS, Again, Decision, GiveUp, RetryPolicy
from clipstream.common.errors import NotFound, Outage, Permanent, Rejected, Transient

POLICY = RetryPolicy()
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def decide(error: BaseException, *, attempt: int = 1, outage_for: timedelta | None = None) -> Decision:
    since = None if outage_for is None else NOW - outage_for
    return POLICY.decide(error, attempt=attempt, outage_since=since, now=NOW)


@pytest.mark.parametrize("error", [Permanent("x"), Rejected("x"), NotFound("x")])
def test_what_can_never_succeed_is_not_tried_again(error: Permanent) -> None:
    assert decide(error) == GiveUp("permanent")


@pytest.mark.parametrize("error", [Transient("x"), RuntimeError("x"), KeyError("x"), TimeoutError()])
def test_failed_work_waits_longer_each_time_and_ends_after_the_fifth_attempt(error: Exception) -> None:
    decisions = [decide(error, attempt=attempt) for attempt in range(1, 7)]
    assert decisions == [Again(step) for step in STEPS[:4]] + [GiveUp("attempts")] * 2


def test_who_fails_may_ask_for_a_longer_delay_but_not_for_a_shorter_one() -> None:
    asked = Transient("The server asks for patience.", retry_after=timedelta(minutes=1))
    assert decide(asked, attempt=1) == Again(timedelta(minutes=2))
    assert decide(asked, attempt=4) == Again(timedelta(minutes=10))


def test_an_outage_is_asked_about_ever_more_seldom_and_given_up_after_hours() -> None:
    def after(elapsed: timedelta) -> Decision:
        return decide(Outage("x"), attempt=5, outage_for=elapsed)

    assert decide(Outage("x"), attempt=5) == Again(timedelta(seconds=5), outage=True)
    assert after(timedelta(seconds=6)) == Again(timedelta(seconds=30), outage=True)
    assert after(timedelta(minutes=1)) == Again(timedelta(minutes=2), outage=True)
    assert after(timedelta(minutes=9)) == Again(timedelta(minutes=10), outage=True)
    assert after(timedelta(hours=11)) == Again(timedelta(minutes=30), outage=True)
    assert after(timedelta(hours=12)) == GiveUp("outage")


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1)))
def test_a_delay_is_always_one_of_the_steps_and_never_shorter_than_asked_unless_the_longest(delay: timedelta) -> None:
    step = POLICY.step(delay)
    assert step in STEPS
    assert step >= delay or step == STEPS[-1]
