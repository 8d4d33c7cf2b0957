"""The events as an AsyncAPI 3.0 document: what is sent, by whom, and in whose queue it arrives. Made from the contracts and
the topology, so that it cannot say anything else than they do; `docs/asyncapi.yaml` is this, written down."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic.json_schema import models_json_schema

from clipstream.common.bus.topology import EVENTS_EXCHANGE, PROGRESS_EXCHANGE, QUEUES
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import (
    EVENTS,
    ClipAdmitted,
    ClipCaptioned,
    ClipDeleted,
    ClipDuplicate,
    ClipEmbedded,
    ClipFailed,
    ClipIndexed,
    ClipIngested,
    ClipPlayable,
    ClipPreviewed,
    ClipProgress,
    ClipReady,
    ClipRejected,
    ClipTranscoded,
    ClipTranscribed,
    ClipUnique,
    Event,
    LongPartPlanned,
    PartPlanned,
    UploadCompleted,
)

Document: TypeAlias = dict[str, Any]

_STAGE = (ClipFailed, ClipProgress)  # what every stage may answer, by the runner
EMITTERS: Mapping[str, tuple[type[Event], ...]] = {
    "gateway": (UploadCompleted, ClipUnique, ClipAdmitted, ClipReady, ClipFailed, ClipDeleted),
    "ingest": (ClipIngested, ClipRejected, *_STAGE),
    "dedupe": (ClipUnique, ClipDuplicate, *_STAGE),
    "preview": (ClipPreviewed, ClipPlayable, *_STAGE),
    "transcode": (PartPlanned, LongPartPlanned, ClipPlayable, ClipTranscoded, *_STAGE),
    "captions": (ClipCaptioned, *_STAGE),
    "stt": (ClipTranscribed, *_STAGE),
    "embed": (ClipEmbedded, *_STAGE),
    "search_text": (ClipIndexed, *_STAGE),
    "search_vectors": (ClipIndexed, *_STAGE),
}
LISTENERS: Mapping[str, tuple[type[Event], ...]] = {
    "gateway.progress": (ClipProgress,),
    "stages.deletions": (ClipDeleted,),
}


def document(version: str) -> Document:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Clipstream events",
            "version": version,
            "description": "Structured CloudEvents 1.0 over RabbitMQ, at least once. Generated; do not edit.",
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(event) for name, event in EVENTS.items()},
        "operations": _operations(),
        "components": {
            "messages": {name: _message(event) for name, event in EVENTS.items()},
            "schemas": _schemas(),
        },
    }


def _channel(event: type[Event]) -> Document:
    exchange = PROGRESS_EXCHANGE if event is ClipProgress else EVENTS_EXCHANGE
    return {
        "address": event.type,
        "messages": {event.type: {"$ref": f"#/components/messages/{event.type}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": exchange, "type": "topic", "durable": True},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _operations() -> Document:
    found: Document = {}
    for action, table in (("send", EMITTERS), ("receive", {**QUEUES, **LISTENERS})):
        for who, types in table.items():
            for event in types:
                found[f"{who}.{action}.{event.type}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{event.type}"},
                    "tags": [{"name": who}],
                }
    return found


def _message(event: type[Event]) -> Document:
    own = {"type": {"const": event.type}, "data": {"$ref": f"#/components/schemas/{event.__name__}"}}
    return {
        "name": event.type,
        "summary": inspect.getdoc(event) or "",
        "payload": {"allOf": [{"$ref": "#/components/schemas/Envelope"}, {"type": "object", "properties": own}]},
    }


def _schemas() -> Document:
    models = [(event, "validation") for event in (Envelope, *EVENTS.values())]
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas: Document = dict(sorted(definitions["$defs"].items()))
    return schemas
