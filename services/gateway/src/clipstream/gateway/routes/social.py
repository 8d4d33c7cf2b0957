"""What members do with a clip: like it, and open it to others by a share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from asyncpg import ForeignKeyViolationError, Record
from pydantic import BaseModel, Field

from clipstream.gateway.access import Access
from clipstream.gateway.fields import Moment, Secret
from clipstream.gateway.limits import Limit
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import likes, shares
from clipstream.gateway.routes.admission import spend_as_caller
from clipstream.gateway.routes.api import Body, Call, Path, RouteTable, VideoPath
from clipstream.gateway.routes.paging import PageQuery
from clipstream.gateway.views import Person

table = RouteTable("social")
TEN_YEARS_S = 315_360_000


class Likes(BaseModel):
    """How many like a video, and whether the caller is one of them."""

    liked: bool
    total_likes: int


class NewShare(Body):
    """How long a share is good for (`expires_at`, or `expires_in` seconds; for ever where neither is said), the password
    it asks for, and the second of the clip where it begins to play."""

    expires_at: Moment | None = None
    expires_in: int | None = Field(default=None, ge=1, le=TEN_YEARS_S)
    password: Secret | None = None
    start_time: float = Field(default=0, ge=0, le=86_400, allow_inf_nan=False)


class Share(BaseModel):
    """A share that is open. Whoever has `share_url` can watch the clip; `embed_url` is its player alone."""

    code: str
    share_url: str
    embed_url: str
    created_at: datetime
    expires_at: datetime | None
    has_password: bool
    start_time: float


class ShareItem(Share):
    """A share in the list. `opened_count` is how often its page was looked at."""

    created_by: Person
    opened_count: int


class ShareList(BaseModel):
    """How many open shares a video has, and those that the caller may revoke: an admin all, others their own."""

    total_shares: int
    shares: list[ShareItem]
    next_cursor: str | None


class SharePath(Path):
    missing: ClassVar[str] = "Share not found"
    code: str


@table.route("POST", "/videos/{video_id}/like", access=Access.VIEWER)
async def toggle_like(call: Call, path: VideoPath) -> Likes:
    """Like a video, or no longer like it"""
    try:
        async with call.services.pool.acquire() as connection, connection.transaction():
            liked = await likes.toggle(connection, path.video_id, call.caller.id)
            return Likes(liked=liked, total_likes=await likes.count(connection, path.video_id))
    except ForeignKeyViolationError as error:
        raise Problem(404, "Video not found") from error


@table.route("GET", "/videos/{video_id}/likes", access=Access.VIEWER)
async def get_likes(call: Call, path: VideoPath) -> Likes:
    """How many like a video"""
    pool = call.services.pool
    return Likes(
        liked=await likes.liked(pool, path.video_id, call.caller.id), total_likes=await likes.count(pool, path.video_id)
    )


@table.route(
    "POST",
    "/videos/{video_id}/share",
    access=Access.CREATOR,
    status=201,
    invalid="Invalid share parameters",
    idempotent=True,
    location="/share/{code}",
)
async def create_share(call: Call, path: VideoPath, body: NewShare | None) -> Share:
    """Open a video to whoever has the address: for creators, since it leaves the stream's circle"""
    row, asked = call.found, body or NewShare()
    expires_at = _expiry(asked)
    if row["duration_s"] is not None and asked.start_time > row["duration_s"]:
        raise Problem(400, "Invalid share parameters", ["start_time: must be within the clip"])
    if asked.password is not None:  # hashing it is made to be slow
        spend_as_caller(call, Limit.GUESS)
    made = await call.services.sharing.create(
        video_id=path.video_id,
        created_by=call.caller.id,
        expires_at=expires_at,
        password=asked.password,
        start_time=asked.start_time,
    )
    return Share(**_share(call, made))


def _expiry(body: NewShare) -> datetime | None:
    now = datetime.now(UTC)
    if body.expires_at is not None and body.expires_in is not None:
        raise Problem(400, "Invalid share parameters", ["expires_at: say this or expires_in, not both"])
    if body.expires_at is not None and body.expires_at <= now:
        raise Problem(400, "Invalid share parameters", ["expires_at: must be in the future"])
    return body.expires_at if body.expires_in is None else now + timedelta(seconds=body.expires_in)


@table.route("GET", "/videos/{video_id}/shares", access=Access.VIEWER)
async def list_shares(call: Call, path: VideoPath, query: PageQuery) -> ShareList:
    """How many shares of a video are open, and those that the caller may revoke, newest first"""
    pool = call.services.pool
    made_by = None if call.standing.role == "admin" else call.caller.id
    rows = await shares.of_video(pool, path.video_id, made_by=made_by, limit=query.one_more, after=query.after)
    return ShareList(
        total_shares=await shares.count(pool, path.video_id),
        shares=[_item(call, row) for row in query.shown(rows)],
        next_cursor=query.next_cursor(rows),
    )


@table.route("DELETE", "/shares/{code}", access=Access.USER, status=204, errors={404: "Share not found"})
async def revoke_share(call: Call, path: SharePath) -> None:
    """Revoke a share: for who made it and for the stream's admins; to others there is none"""
    if not await call.services.sharing.revoke(path.code, call.caller.id):
        raise Problem(404, "Share not found")


def _share(call: Call, share: shares.Share) -> dict[str, Any]:
    code = call.services.sharing.code(share.id)
    url = call.services.api_url(call.request, f"/share/{code}")
    return {
        "code": code,
        "share_url": url,
        "embed_url": f"{url}/embed",
        "created_at": share.created_at,
        "expires_at": share.expires_at,
        "has_password": share.password is not None,
        "start_time": share.start_time,
    }


def _item(call: Call, row: Record) -> ShareItem:
    share = shares.read(row)
    maker = Person(id=share.created_by, name=row["creator_name"], avatar=row["creator_avatar"])
    return ShareItem(**_share(call, share), created_by=maker, opened_count=share.opened_count)
