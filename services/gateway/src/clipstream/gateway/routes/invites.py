"""Invites: codes that let others join a stream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from asyncpg import Record
from pydantic import AfterValidator, BaseModel, Field, model_validator

from clipstream.gateway import invitations
from clipstream.gateway.access import Access
from clipstream.gateway.auth import hash_token
from clipstream.gateway.fields import Moment
from clipstream.gateway.limits import Limit
from clipstream.gateway.repository import invites
from clipstream.gateway.routes.api import Body, Call, Path, RouteTable, StreamPath
from clipstream.gateway.routes.changes import Changes, Kept, kept
from clipstream.gateway.routes.paging import PageQuery
from clipstream.gateway.views import Person

table = RouteTable("streams")
INVALID = "Invalid invite parameters"
UNKNOWN = {404: "Invalid invite code"}
LONGEST_S = 366 * 24 * 3600

InviteRole = Literal["creator", "viewer"]


def _to_come(time: datetime) -> datetime:
    if time <= datetime.now(UTC):
        raise ValueError("must be in the future")
    return time


Expiry = Annotated[Moment, AfterValidator(_to_come)]
Seconds = Annotated[int, Field(strict=True, ge=1, le=LONGEST_S, description="seconds from now, instead of expires_at")]
Uses = Annotated[int, Field(strict=True, ge=1, le=100_000, description="how many may join with it; null: any number")]


def _one_expiry(given: NewInvite | InviteChanges) -> None:
    if given.expires_in is not None and "expires_at" in given.model_fields_set:
        raise ValueError("either expires_at or expires_in can be given")


class NewInvite(Body):
    """Unless it says otherwise, an invite is good for any number of members until it is deleted."""

    role: InviteRole
    expires_at: Expiry | None = None
    expires_in: Seconds | None = None
    usage_limit: Uses | None = None

    @model_validator(mode="after")
    def _consistent(self) -> NewInvite:
        _one_expiry(self)
        return self


class InviteChanges(Changes):
    """What is not named stays; null removes the expiry or the limit."""

    removable: ClassVar[frozenset[str]] = frozenset({"expires_at", "usage_limit"})

    role: Kept[InviteRole] = kept()
    expires_at: Expiry | None = kept()
    expires_in: Kept[Seconds] = kept()
    usage_limit: Uses | None = kept()

    @model_validator(mode="after")
    def _consistent(self) -> InviteChanges:
        _one_expiry(self)
        return self


class InvitePath(StreamPath):
    code: str


class CodePath(Path):
    missing: ClassVar[str] = "Invalid invite code"
    code: str


class Invite(BaseModel):
    code: str
    role: InviteRole
    expires_at: datetime | None
    usage_limit: int | None
    created_at: datetime


class InviteDetails(Invite):
    """An invite with how often it was used, and who made it."""

    used_count: int
    usable: bool
    created_by: Person


class InviteList(BaseModel):
    invites: list[InviteDetails]
    next_cursor: str | None


class Invitation(BaseModel):
    """What somebody who was sent a code may know before they join."""

    stream_name: str
    role: InviteRole
    usable: bool
    expires_at: datetime | None


class Joined(BaseModel):
    stream_id: UUID
    role: InviteRole
    joined_at: datetime


@table.route("GET", "/streams/{stream_id}/invites", access=Access.ADMIN)
async def list_invites(call: Call, path: StreamPath, query: PageQuery) -> InviteList:
    """The invites of a stream, newest first"""
    rows = await invites.of_stream(call.services.pool, path.stream_id, limit=query.one_more, after=query.after)
    return InviteList(invites=[_details(call, row) for row in query.shown(rows)], next_cursor=query.next_cursor(rows))


@table.route(
    "POST",
    "/streams/{stream_id}/invites",
    access=Access.ADMIN,
    status=201,
    invalid=INVALID,
    idempotent=True,
)
async def create_invite(call: Call, path: StreamPath, body: NewInvite) -> Invite:
    """Make a code with which others can join as creator or viewer"""
    row = await invitations.make(
        call.services.pool,
        _secret(call),
        stream_id=path.stream_id,
        role=body.role,
        created_by=call.caller.id,
        expires_at=_expiry(body.expires_at, body.expires_in),
        usage_limit=body.usage_limit,
    )
    return _invite(call, row)


@table.route("GET", "/streams/{stream_id}/invites/{code}", access=Access.ADMIN, errors=UNKNOWN)
async def get_invite(call: Call, path: InvitePath) -> InviteDetails:
    """One invite of a stream"""
    row = await invites.by_hash(call.services.pool, hash_token(path.code))
    if row is None or row["stream_id"] != path.stream_id:
        raise invitations.unknown_code()
    return _details(call, row)


@table.route("PUT", "/streams/{stream_id}/invites/{code}", access=Access.ADMIN, invalid=INVALID, errors=UNKNOWN)
async def change_invite(call: Call, path: InvitePath, body: InviteChanges) -> InviteDetails:
    """Change an invite's role, expiry or limit; who has joined with it stays what they are"""
    row = await invitations.change(call.services.pool, stream_id=path.stream_id, code=path.code, changes=_changes(body))
    return _details(call, row)


@table.route("DELETE", "/streams/{stream_id}/invites/{code}", access=Access.ADMIN, status=204, errors=UNKNOWN)
async def delete_invite(call: Call, path: InvitePath) -> None:
    """Delete an invite: nobody joins with it any more"""
    if not await invites.delete(call.services.pool, path.stream_id, hash_token(path.code)):
        raise invitations.unknown_code()


@table.route("GET", "/invites/{code}", access=Access.PUBLIC, limit=Limit.GUESS)
async def read_invitation(call: Call, path: CodePath) -> Invitation:
    """Where a code leads, and whether it can still be used"""
    row = await invites.by_hash(call.services.pool, hash_token(path.code))
    if row is None or not row["good"]:
        raise invitations.unknown_code()
    return Invitation(
        stream_name=row["stream_name"], role=row["role"], usable=_usable(row), expires_at=row["expires_at"]
    )


@table.route(
    "POST",
    "/invites/{code}/join",
    access=Access.USER,
    limit=Limit.GUESS,
    idempotent=True,
    errors={400: "Invite expired", 409: "Already a member of this stream"},
)
async def join_stream(call: Call, path: CodePath) -> Joined:
    """Join a stream by a code"""
    stream_id, role, joined_at = await invitations.join(call.services.pool, code=path.code, user_id=call.caller.id)
    return Joined(stream_id=stream_id, role=role, joined_at=joined_at)


def _secret(call: Call) -> str:
    return call.services.settings.secret_key.get_secret_value()


def _expiry(at: datetime | None, within_s: int | None) -> datetime | None:
    return at if within_s is None else datetime.now(UTC) + timedelta(seconds=within_s)


def _changes(body: InviteChanges) -> dict[str, Any]:
    changes = body.named
    if "expires_in" in changes:
        changes["expires_at"] = _expiry(None, changes.pop("expires_in"))
    return changes


def _usable(row: Record) -> bool:
    return bool(row["good"]) and not row["expired"] and not row["used_up"]


def _invite(call: Call, row: Record) -> Invite:
    return Invite(
        code=invitations.code_of(_secret(call), row["id"]),
        role=row["role"],
        expires_at=row["expires_at"],
        usage_limit=row["usage_limit"],
        created_at=row["created_at"],
    )


def _details(call: Call, row: Record) -> InviteDetails:
    return InviteDetails(
        **_invite(call, row).model_dump(),
        used_count=row["used_count"],
        usable=_usable(row),
        created_by=Person(id=row["created_by"], name=row["creator_name"], avatar=row["creator_avatar"]),
    )
