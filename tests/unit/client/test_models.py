"""The client's models are those of the API as it is now."""

from __future__ import annotations

import pytest
import write_client
from pydantic import BaseModel

from clipstream.client import live
from clipstream.gateway.routes import events


def test_the_models_are_made_from_the_committed_document() -> None:
    fresh = write_client.TARGET.read_text() == write_client.models()
    assert fresh, "libs/client's models are not those of services/gateway/openapi.json: run make client"


@pytest.mark.parametrize(("ours", "theirs"), [(live.Tick, events.Tick), (live.Gone, events.Gone)])
def test_live_events_have_the_fields_that_the_gateway_sends(ours: type[BaseModel], theirs: type[BaseModel]) -> None:
    assert set(ours.model_fields) == set(theirs.model_fields)


def test_every_kind_of_live_event_has_a_model() -> None:
    told = {"processing", "progress", "deleted", "snapshot", "video"}
    assert set(live.VIDEO_EVENTS) | set(live.STREAM_EVENTS) == told
