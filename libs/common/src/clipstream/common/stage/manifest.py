"""The commit mark of a stage: the object that says which run won, and what it answered. It is written last, and once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import EVENTS, Event, Stage
from clipstream.common.contracts.ids import RunId, VideoId
from clipstream.common.errors import Conflict, NotFound, Permanent
from clipstream.common.store.objects import ObjectStore


def _read(value: object) -> object:
    return EVENTS[value["type"]].model_validate(value["data"]) if isinstance(value, dict) else value


def _write(event: Event) -> dict[str, object]:
    return {"type": event.type, "data": event.model_dump(mode="json")}


Recorded = Annotated[Event, BeforeValidator(_read), PlainSerializer(_write)]


class Manifest(BaseModel):
    """What the winning run answered with. Ids are not recorded: they follow from the event that is answered."""

    model_config = ConfigDict(frozen=True)

    run_id: RunId
    attempt: int
    events: tuple[Recorded, ...]


async def find(store: ObjectStore, video_id: VideoId, stage: Stage, part: str = "") -> Manifest | None:
    """The manifest of a stage that has finished this video, or one part of the work on it."""
    key = keys.manifest(video_id, stage, part)
    try:
        return Manifest.model_validate_json(await store.get(key))
    except NotFound:
        return None
    except (ValidationError, KeyError) as error:
        raise Permanent(f"The manifest {key} cannot be read; remove it to have the stage run again.") from error


async def commit(store: ObjectStore, video_id: VideoId, stage: Stage, made: Manifest, part: str = "") -> Manifest:
    """Write the manifest, unless another run was faster: then that one has won, and its manifest is returned."""
    key = keys.manifest(video_id, stage, part)
    try:
        await store.put(key, made.model_dump_json().encode(), content_type="application/json", if_absent=True)
    except Conflict:
        return await find(store, video_id, stage, part) or made
    return made


def of(run_id: RunId, attempt: int, events: Sequence[Event]) -> Manifest:
    return Manifest(run_id=run_id, attempt=attempt, events=tuple(events))
