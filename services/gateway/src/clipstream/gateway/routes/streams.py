"""Streams: the groups' shared spaces."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from clipstream.gateway import commands
from clipstream.gateway.access import Access, Role
from clipstream.gateway.fields import Name, Prose
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import streams
from clipstream.gateway.routes.api import Body, Call, RouteTable, StreamPath
from clipstream.gateway.routes.paging import PageQuery
from clipstream.gateway.views import Person

table = RouteTable("streams")


class NewStream(Body):
    name: Name
    description: Prose = ""


class Stream(BaseModel):
    id: UUID
    name: str
    description: str
    owner_id: UUID
    created_at: datetime


class StreamItem(BaseModel):
    """A stream in the caller's list, with the caller's role in it."""

    id: UUID
    name: str
    description: str
    role: Role
    member_count: int
    video_count: int
    created_at: datetime


class StreamList(BaseModel):
    streams: list[StreamItem]
    next_cursor: str | None


class StreamDetails(BaseModel):
    id: UUID
    name: str
    description: str
    owner: Person
    settings: dict[str, Any]
    user_role: Role
    member_count: int
    created_at: datetime


@table.route("GET", "/streams", access=Access.USER)
async def list_streams(call: Call, query: PageQuery) -> StreamList:
    """The streams the caller belongs to"""
    rows = await streams.of_user(call.services.pool, call.caller.id, limit=query.one_more, after=query.after)
    return StreamList(
        streams=[StreamItem(**dict(row)) for row in query.shown(rows)], next_cursor=query.next_cursor(rows)
    )


@table.route(
    "POST",
    "/streams",
    access=Access.USER,
    status=201,
    invalid="Invalid stream data",
    idempotent=True,
    location="/streams/{id}",
)
async def create_stream(call: Call, body: NewStream) -> Stream:
    """Make a stream; its maker owns it and is its first admin"""
    row = await commands.create_stream(
        call.services.pool, name=body.name, description=body.description, owner_id=call.caller.id
    )
    return Stream(**dict(row))


@table.route("GET", "/streams/{stream_id}", access=Access.VIEWER)
async def get_stream(call: Call, path: StreamPath) -> StreamDetails:
    """A stream's details"""
    row = await streams.by_id(call.services.pool, path.stream_id)
    if row is None:
        raise Problem(404, "Stream not found")
    return StreamDetails(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        owner=Person(id=row["owner_id"], name=row["owner_name"], avatar=row["owner_avatar"]),
        settings=json.loads(row["settings"]),
        user_role=call.standing.role,
        member_count=row["member_count"],
        created_at=row["created_at"],
    )
