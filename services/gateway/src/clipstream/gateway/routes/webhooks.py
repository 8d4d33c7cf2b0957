"""Webhooks of a stream: whom to tell what happens in it, and what came of the telling."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID, uuid4

from asyncpg import Record
from pydantic import BaseModel, Field, StringConstraints

from clipstream.gateway.access import Access
from clipstream.gateway.outgoing import acceptable
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import deliveries, webhooks
from clipstream.gateway.repository.webhooks import Kind
from clipstream.gateway.routes.api import Body, Call, RouteTable, StreamPath
from clipstream.gateway.routes.changes import Changes, Kept, kept
from clipstream.gateway.routes.paging import PageQuery
from clipstream.gateway.webhooks import EVENTS, NO_VIDEO, TEST, WebhookEvent, trial

table = RouteTable("webhooks")
MOST = 20
INVALID = "Invalid webhook"
DISABLED = "Webhook is disabled"
_DISCORD = re.compile(r"^https://([a-z]+\.)?discord(app)?\.com/api/(v[0-9]+/)?webhooks/")

Address = Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=2048)]
Events = Annotated[list[WebhookEvent], Field(min_length=1, max_length=len(EVENTS))]


class NewWebhook(Body):
    """Where to send, what, and in which shape: `standard` (standardwebhooks.com, signed), or `discord`; unsaid, what the
    address is one of."""

    url: Address
    events: Events
    kind: Kind | None = None


class WebhookChanges(Changes):
    """What is not named stays. One that is not `enabled` is told nothing."""

    url: Kept[Address] = kept()
    events: Kept[Events] = kept()
    kind: Kept[Kind] = kept()
    enabled: Kept[bool] = kept()


class WebhookView(BaseModel):
    id: UUID
    url: str
    kind: Kind
    events: list[WebhookEvent]
    enabled: bool
    created_at: datetime


class CreatedWebhook(WebhookView):
    """A new webhook with the secret that proves our requests to it. The secret is shown this once."""

    secret: str


class WebhookList(BaseModel):
    webhooks: list[WebhookView]
    next_cursor: str | None


class DeliveryView(BaseModel):
    """One message to one webhook. `next_attempt_at` is null once it has been delivered or given up; `response_status`
    and `error` are of the latest attempt."""

    id: UUID
    event: WebhookEvent | Literal["webhook.test"]
    video_id: UUID | None
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    response_status: int | None
    error: str | None
    created_at: datetime
    delivered_at: datetime | None
    next_attempt_at: datetime | None


class DeliveryList(BaseModel):
    deliveries: list[DeliveryView]
    next_cursor: str | None


class WebhookPath(StreamPath):
    missing: ClassVar[str] = "Webhook not found"
    webhook_id: UUID


class DeliveryPath(WebhookPath):
    missing: ClassVar[str] = "Delivery not found"
    delivery_id: UUID


@table.route("GET", "/streams/{stream_id}/webhooks", access=Access.ADMIN)
async def list_webhooks(call: Call, path: StreamPath, query: PageQuery) -> WebhookList:
    """The webhooks of a stream, newest first"""
    rows = await webhooks.of_stream(call.services.pool, path.stream_id, limit=query.one_more, after=query.after)
    shown = [_view(webhooks.read(row)) for row in query.shown(rows)]
    return WebhookList(webhooks=shown, next_cursor=query.next_cursor(rows))


@table.route(
    "POST",
    "/streams/{stream_id}/webhooks",
    access=Access.ADMIN,
    status=201,
    invalid=INVALID,
    errors={409: "Too many webhooks"},
    idempotent=True,
)
async def create_webhook(call: Call, path: StreamPath, body: NewWebhook) -> CreatedWebhook:
    """Tell an address what happens in the stream"""
    _check(call, body.url)
    async with call.services.pool.acquire() as connection, connection.transaction():
        made = await webhooks.add(
            connection,
            uuid4(),
            stream_id=path.stream_id,
            url=body.url,
            kind=body.kind or _kind_of(body.url),
            events=_in_order(body.events),
            created_by=call.caller.id,
            most=MOST,
        )
    if made is None:
        raise Problem(409, "Too many webhooks", [f"A stream has at most {MOST}."])
    return CreatedWebhook(**_view(made).model_dump(), secret=call.services.webhooks.secrets.of(made.id))


@table.route("PUT", "/streams/{stream_id}/webhooks/{webhook_id}", access=Access.ADMIN, invalid=INVALID)
async def change_webhook(call: Call, path: WebhookPath, body: WebhookChanges) -> WebhookView:
    """Change a webhook, or disable it: what was still to be sent to it is given up then"""
    if body.url is not None:
        _check(call, body.url)
    async with call.services.pool.acquire() as connection, connection.transaction():
        changed = await webhooks.update(
            connection,
            path.stream_id,
            path.webhook_id,
            url=body.url,
            kind=body.kind,
            events=None if body.events is None else _in_order(body.events),
            enabled=body.enabled,
        )
        if changed is not None and body.enabled is False:
            await deliveries.end_all(connection, path.webhook_id, "The webhook was disabled.")
    if changed is None:
        raise Problem(404, "Webhook not found")
    return _view(changed)


@table.route("DELETE", "/streams/{stream_id}/webhooks/{webhook_id}", access=Access.ADMIN, status=204)
async def delete_webhook(call: Call, path: WebhookPath) -> None:
    """Tell this address nothing any more"""
    if not await webhooks.delete(call.services.pool, path.stream_id, path.webhook_id):
        raise Problem(404, "Webhook not found")


@table.route("GET", "/streams/{stream_id}/webhooks/{webhook_id}/deliveries", access=Access.ADMIN)
async def list_deliveries(call: Call, path: WebhookPath, query: PageQuery) -> DeliveryList:
    """What was sent to a webhook in the last month, newest first, and what came of it"""
    await _webhook(call, path)
    rows = await deliveries.of_webhook(call.services.pool, path.webhook_id, limit=query.one_more, after=query.after)
    return DeliveryList(deliveries=[_delivery(row) for row in query.shown(rows)], next_cursor=query.next_cursor(rows))


@table.route(
    "POST",
    "/streams/{stream_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
    access=Access.ADMIN,
    status=202,
    errors={409: DISABLED},
)
async def replay_delivery(call: Call, path: DeliveryPath) -> DeliveryView:
    """Send a message once more, under the id it had"""
    await _enabled(call, path)
    row = await deliveries.replay(call.services.pool, path.webhook_id, path.delivery_id)
    if row is None:
        raise Problem(404, "Delivery not found")
    call.services.webhooks.wake()
    return _delivery(row)


@table.route(
    "POST",
    "/streams/{stream_id}/webhooks/{webhook_id}/test",
    access=Access.ADMIN,
    status=202,
    errors={409: DISABLED},
    idempotent=True,
)
async def try_webhook(call: Call, path: WebhookPath) -> DeliveryView:
    """Send a message that only says that the webhook works"""
    await _enabled(call, path)
    delivery_id = uuid4()
    async with call.services.pool.acquire() as connection, connection.transaction():
        payload = trial(path.stream_id).model_dump_json()
        await deliveries.add(
            connection, delivery_id, webhook_id=path.webhook_id, event=TEST, video_id=NO_VIDEO, payload=payload
        )
        row = await deliveries.by_id(connection, delivery_id)
    call.services.webhooks.wake()
    if row is None:
        raise Problem(404, "Webhook not found")
    return _delivery(row)


def _check(call: Call, url: str) -> None:
    fault = acceptable(url, call.services.webhooks.allowed_hosts)
    if fault is not None:
        raise Problem(400, INVALID, [f"url: {fault}"])


def _kind_of(url: str) -> Kind:
    """Discord takes messages of its own shape only."""
    return "discord" if _DISCORD.match(url) else "standard"


def _in_order(events: list[WebhookEvent]) -> list[WebhookEvent]:
    return [event for event in EVENTS if event in events]


async def _webhook(call: Call, path: WebhookPath) -> webhooks.Webhook:
    found = await webhooks.by_id(call.services.pool, path.stream_id, path.webhook_id)
    if found is None:
        raise Problem(404, "Webhook not found")
    return found


async def _enabled(call: Call, path: WebhookPath) -> None:
    if (await _webhook(call, path)).disabled_at is not None:
        raise Problem(409, DISABLED)


def _view(webhook: webhooks.Webhook) -> WebhookView:
    return WebhookView(
        id=webhook.id,
        url=webhook.url,
        kind=webhook.kind,
        events=[event for event in EVENTS if event in webhook.events],
        enabled=webhook.disabled_at is None,
        created_at=webhook.created_at,
    )


def _delivery(row: Record) -> DeliveryView:
    state: Literal["pending", "delivered", "failed"] = "pending"
    if row["delivered_at"] is not None:
        state = "delivered"
    elif row["failed_at"] is not None:
        state = "failed"
    return DeliveryView(
        id=row["id"],
        event=row["event"],
        video_id=None if row["video_id"] == NO_VIDEO else row["video_id"],
        state=state,
        attempts=row["attempts"],
        response_status=row["status"],
        error=row["error"],
        created_at=row["created_at"],
        delivered_at=row["delivered_at"],
        next_attempt_at=row["due_at"],
    )
