"""Who may do what. Every route names its rule here; there is no default, so a route without one cannot exist.

An API key may do what its user may, as far as its scopes go: `read` looks, `upload` brings clips in, `write` changes
everything else, `admin` is for operators' routes. What concerns the account itself needs a login."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal
from uuid import UUID

from asyncpg import Connection, Record

from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import streams

Role = Literal["admin", "creator", "viewer"]
Scope = Literal["read", "upload", "write", "admin"]
_RANK: dict[Role, int] = {"viewer": 1, "creator": 2, "admin": 3}


class Access(Enum):
    """The rule of one route. From `VIEWER` on it concerns the stream, or the video's stream, that the path names."""

    PUBLIC = "public"
    SIGNED = "signed"  # the address itself carries a signature; the route checks it
    USER = "user"
    VIEWER = "viewer"
    CREATOR = "creator"
    UPLOADER = "uploader"  # who uploaded the video, or an admin of its stream
    ONESELF = "oneself"  # the member that the path names, or an admin of the stream
    ADMIN = "admin"
    OWNER = "owner"
    SITE_ADMIN = "site admin"  # who runs this place; in a stream they are nobody unless they belong to it


_REFUSAL = {
    Access.VIEWER: "Access denied",
    Access.UPLOADER: "Access denied",
    Access.CREATOR: "Creator access required",
    Access.ONESELF: "Admin access required",
    Access.ADMIN: "Admin access required",
    Access.OWNER: "Owner access required",
    Access.SITE_ADMIN: "Admin access required",
}


def refusal(access: Access) -> str | None:
    """The text of the 403 that a rule implies."""
    return _REFUSAL.get(access)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a caller is to the thing they named."""

    stream_id: UUID
    role: Role
    owner: bool = False


async def to_stream(
    connection: Connection, access: Access, stream_id: UUID, user_id: UUID, *, named: UUID | None = None
) -> Grant:
    """The caller's standing in a stream. 404 where there is none, 403 where it is not enough for the route. `named` is
    the member that the path names, for `ONESELF`. Commands ask again while they hold the stream."""
    row = await streams.membership(connection, stream_id, user_id)
    if row is None:
        raise Problem(404, "Stream not found")
    return judge_stream(access, row, user_id, named=named)


def judge_stream(access: Access, row: Record, user_id: UUID, *, named: UUID | None = None) -> Grant:
    """The same by a row with `stream_id`, `owner_id` and `role`, all None where there is no such stream."""
    if row["stream_id"] is None:
        raise Problem(404, "Stream not found")
    grant = Grant(row["stream_id"], row["role"], owner=row["owner_id"] == user_id)
    return _judge(access, grant, oneself=named == user_id)


def judge_video(access: Access, row: Record, user_id: UUID) -> Grant:
    """The same by a row of a video of the stream, with its `uploader_id`."""
    if row["id"] is None:
        raise Problem(404, "Video not found")
    grant = Grant(row["stream_id"], row["role"], owner=row["owner_id"] == user_id)
    return _judge(access, grant, uploader=row["uploader_id"] == user_id)


def _judge(access: Access, grant: Grant, *, uploader: bool = False, oneself: bool = False) -> Grant:
    if grant.role is None or not _enough(access, grant, uploader=uploader, oneself=oneself):
        raise Problem(403, _REFUSAL[access])
    return grant


def _enough(access: Access, grant: Grant, *, uploader: bool, oneself: bool) -> bool:
    """An uploader who has since become a viewer may no longer change what they uploaded."""
    role = grant.role
    if access is Access.OWNER:
        return grant.owner
    if access is Access.ONESELF:
        return oneself or role == "admin"
    if access is Access.UPLOADER:
        return role == "admin" or (uploader and role == "creator")
    needed: dict[Access, Role] = {Access.VIEWER: "viewer", Access.CREATOR: "creator", Access.ADMIN: "admin"}
    return _RANK[role] >= _RANK[needed[access]]
