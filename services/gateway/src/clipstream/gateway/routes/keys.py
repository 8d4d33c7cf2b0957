"""Personal API keys, for recorders and scripts. Only a login makes, shows and deletes them: a key cannot make another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from clipstream.gateway import api_keys
from clipstream.gateway.access import Access, Scope
from clipstream.gateway.fields import Moment, Name
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import keys
from clipstream.gateway.routes.api import Body, Call, Path, Reply, RouteTable
from clipstream.gateway.routes.paging import PageQuery

table = RouteTable("auth")
_NEVER_STORED = {"Cache-Control": "no-store"}


def _to_come(moment: datetime) -> datetime:
    if moment <= datetime.now(UTC):
        raise ValueError("must be in the future")
    return moment


class KeyPath(Path):
    missing: ClassVar[str] = "API key not found"
    key_id: UUID


class NewKey(Body):
    """`admin` is for operators' routes, and only site admins may give it."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=4)]
    expires_at: Annotated[Moment, AfterValidator(_to_come)] | None = None


class ApiKey(BaseModel):
    """`hint` is how the key begins."""

    id: UUID
    name: str
    hint: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None


class CreatedKey(ApiKey):
    """`key` goes into `Authorization: Bearer`. It is never shown again."""

    key: str


class KeyItem(ApiKey):
    """`last_used_at` is kept to the minute."""

    last_used_at: datetime | None


class KeyList(BaseModel):
    keys: list[KeyItem]
    next_cursor: str | None


@table.route("GET", "/auth/keys", access=Access.USER, scope="login")
async def list_keys(call: Call, query: PageQuery) -> KeyList:
    """The caller's API keys"""
    rows = await keys.of_user(call.services.pool, call.caller.id, limit=query.one_more, after=query.after)
    return KeyList(keys=[KeyItem(**dict(row)) for row in query.shown(rows)], next_cursor=query.next_cursor(rows))


@table.route(
    "POST",
    "/auth/keys",
    access=Access.USER,
    status=201,
    scope="login",
    invalid="Invalid API key data",
    errors={403: "Admin access required", 409: "Too many API keys"},
)
async def create_key(call: Call, body: NewKey) -> CreatedKey | Reply:
    """Make an API key; only this answer shows it"""
    key, row = await api_keys.create(
        call.services.pool, call.caller.id, name=body.name, scopes=body.scopes, expires_at=body.expires_at
    )
    return Reply(CreatedKey(key=key, **dict(row)), status=201, headers=_NEVER_STORED)


@table.route("DELETE", "/auth/keys/{key_id}", access=Access.USER, status=204, scope="login")
async def delete_key(call: Call, path: KeyPath) -> None:
    """Delete an API key; from now on it is refused"""
    if not await keys.revoke(call.services.pool, path.key_id, call.caller.id):
        raise Problem(404, KeyPath.missing)
