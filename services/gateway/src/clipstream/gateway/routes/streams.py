"""Streams: the groups' shared spaces."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record
from pydantic import BaseModel

from clipstream.gateway import commands, membership, stream_commands
from clipstream.gateway.access import Access, Grant, Role
from clipstream.gateway.fields import Name, Prose
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import streams
from clipstream.gateway.routes.api import Body, Call, RouteTable, StreamPath
from clipstream.gateway.routes.changes import Changes, Kept, kept
from clipstream.gateway.routes.conditional import require_match
from clipstream.gateway.routes.paging import PageQuery
from clipstream.gateway.views import Person

table = RouteTable("streams")


class NewStream(Body):
    name: Name
    description: Prose = ""


class StreamChanges(Changes):
    """What is not named stays."""

    name: Kept[Name] = kept()
    description: Kept[Prose] = kept()


class NewOwner(Body):
    """A member of the stream."""

    user_id: UUID


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
    return _details(row, call.standing)


@table.route(
    "PUT",
    "/streams/{stream_id}",
    access=Access.ADMIN,
    invalid="Invalid stream data",
    errors={412: "Precondition failed"},
)
async def change_stream(call: Call, path: StreamPath, body: StreamChanges) -> StreamDetails:
    """Change its name or description; with `If-Match`, only if it is still what GET answered"""
    row, grant = await stream_commands.change_stream(
        call.services.pool,
        path.stream_id,
        by=call.caller.id,
        name=body.name,
        description=body.description,
        check=lambda row, grant: require_match(call.request, _details(row, grant)),
    )
    return _details(row, grant)


@table.route("DELETE", "/streams/{stream_id}", access=Access.OWNER, status=204)
async def delete_stream(call: Call, path: StreamPath) -> None:
    """Delete a stream with all its videos and everything that was made of them"""
    services = call.services
    gone = await stream_commands.delete_stream(services.pool, path.stream_id, by=call.caller.id)
    await services.dispatcher.sweep()
    services.feed.deleted(gone)
    services.readers.look_again()
    services.relay.wake()


@table.route(
    "POST",
    "/streams/{stream_id}/transfer",
    access=Access.OWNER,
    invalid="Invalid stream data",
    errors={404: "Member not found"},
)
async def transfer_stream(call: Call, path: StreamPath, body: NewOwner) -> StreamDetails:
    """Give the stream to another member; who gives it stays an admin"""
    pool = call.services.pool
    await membership.transfer(pool, stream_id=path.stream_id, to=body.user_id, by=call.caller.id)
    return await get_stream(call, path)


def _details(row: Record, grant: Grant) -> StreamDetails:
    return StreamDetails(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        owner=Person(id=row["owner_id"], name=row["owner_name"], avatar=row["owner_avatar"]),
        settings=json.loads(row["settings"]),
        user_role=grant.role,
        member_count=row["member_count"],
        created_at=row["created_at"],
    )
