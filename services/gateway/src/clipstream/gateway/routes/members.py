"""Who belongs to a stream, and as what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from clipstream.gateway import membership
from clipstream.gateway.access import Access, Role
from clipstream.gateway.repository import members
from clipstream.gateway.routes.api import Body, Call, MemberPath, RouteTable, StreamPath
from clipstream.gateway.routes.paging import PageQuery

table = RouteTable("streams")
OWNER_STAYS = {409: "A stream needs an admin"}


class Member(BaseModel):
    id: UUID
    name: str
    avatar: str | None
    role: Role
    joined_at: datetime
    owner: bool


class MemberList(BaseModel):
    members: list[Member]
    next_cursor: str | None


class NewRole(Body):
    role: Role


@table.route("GET", "/streams/{stream_id}/members", access=Access.VIEWER)
async def list_members(call: Call, path: StreamPath, query: PageQuery) -> MemberList:
    """Who belongs to a stream; who came last is first"""
    rows = await members.of_stream(call.services.pool, path.stream_id, limit=query.one_more, after=query.after)
    return MemberList(
        members=[Member(**dict(row)) for row in query.shown(rows)], next_cursor=query.next_cursor(rows, at="joined_at")
    )


@table.route(
    "PUT",
    "/streams/{stream_id}/members/{user_id}",
    access=Access.ADMIN,
    invalid="Invalid role",
    errors=OWNER_STAYS,
)
async def change_member(call: Call, path: MemberPath, body: NewRole) -> Member:
    """Give a member another role; what somebody who becomes a viewer has begun to upload goes"""
    row, gone = await membership.change_role(
        call.services.pool, stream_id=path.stream_id, user_id=path.user_id, role=body.role, by=call.caller.id
    )
    _tell(call, path.stream_id, gone)
    return Member(**dict(row))


@table.route("DELETE", "/streams/{stream_id}/members/{user_id}", access=Access.ONESELF, status=204, errors=OWNER_STAYS)
async def remove_member(call: Call, path: MemberPath) -> None:
    """Remove a member, or leave; live events of theirs end at once, and what they had begun to upload goes"""
    pool = call.services.pool
    gone = await membership.remove(pool, stream_id=path.stream_id, user_id=path.user_id, by=call.caller.id)
    call.services.readers.look_again()
    _tell(call, path.stream_id, gone)


def _tell(call: Call, stream_id: UUID, gone: Sequence[UUID]) -> None:
    for video_id in gone:
        call.services.projector.tell(video_id, stream_id)
    if gone:
        call.services.relay.wake()
