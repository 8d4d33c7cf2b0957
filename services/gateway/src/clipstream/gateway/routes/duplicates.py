"""Duplicates as the operator judges them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Literal
from uuid import UUID

from asyncpg import Record
from pydantic import BaseModel

from clipstream.common.errors import NotFound
from clipstream.gateway.access import Access
from clipstream.gateway.interventions import NotPossible
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import duplicates
from clipstream.gateway.routes.api import Call, Path, RouteTable
from clipstream.gateway.routes.operator import processing
from clipstream.gateway.routes.paging import PageQuery
from clipstream.gateway.views import Person, Processing

table = RouteTable("operator")


class FlaggedPath(Path):
    missing = "Video not found"
    id: UUID


class FlaggedVideo(BaseModel):
    id: UUID
    title: str
    stream_id: UUID
    uploaded_by: Person
    uploaded_at: datetime


class FlaggedDuplicate(BaseModel):
    """A video and what it is said to be a copy of; that is null once it was deleted."""

    video: FlaggedVideo
    original_video: FlaggedVideo | None
    kind: Literal["identical", "remuxed"]
    similarity: float
    flagged_at: datetime | None


class FlaggedDuplicates(BaseModel):
    duplicates: list[FlaggedDuplicate]
    next_cursor: str | None


@table.route("GET", "/admin/duplicates", access=Access.SITE_ADMIN, scope="admin")
async def list_duplicates(call: Call, query: PageQuery) -> FlaggedDuplicates:
    """Videos that are held to be duplicates, the newest first"""
    rows = await duplicates.flagged(call.services.pool, limit=query.one_more, after=query.after)
    return FlaggedDuplicates(
        duplicates=[_flagged(row) for row in query.shown(rows)], next_cursor=query.next_cursor(rows)
    )


@table.route(
    "POST",
    "/admin/duplicates/{id}/dismiss",
    access=Access.SITE_ADMIN,
    scope="admin",
    errors={404: "Video not found", 409: "Not a duplicate video"},
)
async def dismiss_duplicate(call: Call, path: FlaggedPath) -> Processing:
    """Say that it is no duplicate: its processing goes on where it ended"""
    try:
        await call.services.interventions.dismiss(path.id)
    except NotFound as error:
        raise Problem(404, "Video not found") from error
    except NotPossible as error:
        raise Problem(409, str(error)) from error
    return await processing(call, path.id)


def _flagged(row: Record) -> FlaggedDuplicate:
    said = json.loads(row["duplicate"])
    return FlaggedDuplicate(
        video=_video(row),
        original_video=None if row["original_id"] is None else _video(row, "original_"),
        kind=said["kind"],
        similarity=said["similarity"],
        flagged_at=row["flagged_at"],
    )


def _video(row: Record, prefix: str = "") -> FlaggedVideo:
    uploader = Person(
        id=row[f"{prefix}uploader_id"], name=row[f"{prefix}uploader_name"], avatar=row[f"{prefix}uploader_avatar"]
    )
    return FlaggedVideo(
        id=row[f"{prefix}id"],
        title=row[f"{prefix}title"],
        stream_id=row[f"{prefix}stream_id"],
        uploaded_by=uploader,
        uploaded_at=row[f"{prefix}uploaded_at"],
    )
