"""Every route and what each kind of caller gets from it. A route that is not in here fails the tests.

Who: `nobody` has no token; `outsider` belongs to no stream; `revoked` was a member and was removed; `viewer`, `creator` and
`admin` belong to the stream, `owner` made it; `uploader` is the creator who uploaded the video; `site_admin` runs the place
and belongs to no stream; `key` is the owner's API key, without the scope that the route needs. `{video_id}` is a ready
video of the stream, `{stream_id}` the stream; with unknown ones in their place the answer is 404 to everybody with a token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# fmt: off
EVERYBODY = ("nobody", "outsider", "revoked", "viewer", "creator", "uploader", "admin", "owner", "site_admin", "key")
# fmt: on
NOT_THERE = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Rule:
    """Statuses by caller, and a request that would be a good one; a value like `{user_id}` in its body is filled in."""

    answers: dict[str, int]
    body: dict[str, Any] | None = None
    path: str | None = None  # where the template cannot be filled in by ids alone
    query: str = ""
    changes: bool = False  # such a request is sent to a stream and a video of its own each time
    headers: dict[str, str] = field(default_factory=dict)
    streams: bool = False  # never ends by itself


def public(status: int) -> dict[str, int]:
    return dict.fromkeys(EVERYBODY, status)


def signed_in(status: int) -> dict[str, int]:
    return public(status) | {"nobody": 401, "key": 403}


def members(status: int) -> dict[str, int]:
    return signed_in(status) | {"outsider": 403, "revoked": 403, "site_admin": 403}


def creators(status: int) -> dict[str, int]:
    return members(status) | {"viewer": 403}


def uploader(status: int) -> dict[str, int]:
    return creators(status) | {"creator": 403}


def admins(status: int) -> dict[str, int]:
    return uploader(status) | {"uploader": 403}


def owner(status: int) -> dict[str, int]:
    return admins(status) | {"admin": 403}


def operator(status: int) -> dict[str, int]:
    return public(403) | {"nobody": 401, "site_admin": status}


MATRIX: dict[tuple[str, str], Rule] = {
    ("GET", "/"): Rule(public(200)),
    ("GET", "/health"): Rule(public(200)),
    ("GET", "/openapi.json"): Rule(signed_in(200)),
    ("POST", "/auth/dev"): Rule(public(200), {"name": "somebody"}),
    ("POST", "/auth/refresh"): Rule(public(401), {"refresh_token": "csr_unknown"}),
    ("GET", "/auth/user"): Rule(signed_in(200)),
    ("GET", "/streams"): Rule(signed_in(200)),
    ("POST", "/streams"): Rule(signed_in(201), {"name": "Another"}),
    ("GET", "/streams/{stream_id}"): Rule(members(200)),
    ("GET", "/streams/{stream_id}/videos"): Rule(members(200)),
    ("POST", "/streams/{stream_id}/videos"): Rule(creators(201), {"filename": "a.mp4", "size": 1}),
    ("GET", "/streams/{stream_id}/events"): Rule(members(200), streams=True),
    ("GET", "/videos/{video_id}"): Rule(members(200)),
    ("DELETE", "/videos/{video_id}"): Rule(uploader(204), changes=True),
    ("GET", "/videos/{video_id}/processing"): Rule(members(200)),
    ("GET", "/videos/{video_id}/events"): Rule(members(200), streams=True),
    ("POST", "/videos/{video_id}/upload-url"): Rule(uploader(409)),
    ("POST", "/videos/{video_id}/complete"): Rule(uploader(200)),
    ("PUT", "/uploads/direct"): Rule(public(403)),
    ("GET", "/videos/{video_id}/stream"): Rule(members(200)),
    ("GET", "/videos/{video_id}/duplicates"): Rule(members(404)),
    ("GET", "/videos/{video_id}/similar"): Rule(members(503)),
    ("GET", "/videos/{video_id}/transcript"): Rule(members(200)),
    ("GET", "/files/videos/{video_id}/thumbnail"): Rule(members(200)),
    ("GET", "/search"): Rule(members(200), query="?q=ammo&stream_id={stream_id}"),
    ("GET", "/media/{token}/{video_id}/{name:.+}"): Rule(public(403), path="/media/no-token/{video_id}/master.m3u8"),
    # --- account: keys, sign-in
    ("POST", "/auth/verify"): Rule(public(404), {"id_token": "a.b.c"}),  # no issuer is configured in this world
    ("POST", "/auth/logout"): Rule(public(204), {"refresh_token": "csr_unknown"}),
    ("GET", "/auth/keys"): Rule(signed_in(200)),
    ("POST", "/auth/keys"): Rule(signed_in(201), {"name": "a script", "scopes": ["read"]}),
    # The key is the uploader's, and to everybody else it does not exist.
    ("DELETE", "/auth/keys/{key_id}"): Rule(signed_in(404) | {"uploader": 204}, changes=True),
    # --- members and invites
    ("PUT", "/streams/{stream_id}"): Rule(admins(200), {"description": "Changed"}),
    ("DELETE", "/streams/{stream_id}"): Rule(owner(204), changes=True),
    ("POST", "/streams/{stream_id}/transfer"): Rule(owner(200), {"user_id": "{user_id}"}, changes=True),
    ("GET", "/streams/{stream_id}/members"): Rule(members(200)),
    ("PUT", "/streams/{stream_id}/members/{user_id}"): Rule(admins(200), {"role": "viewer"}),
    ("DELETE", "/streams/{stream_id}/members/{user_id}"): Rule(admins(204) | {"viewer": 204}, changes=True),
    ("GET", "/streams/{stream_id}/invites"): Rule(admins(200)),
    ("POST", "/streams/{stream_id}/invites"): Rule(admins(201), {"role": "viewer"}),
    ("GET", "/streams/{stream_id}/invites/{code}"): Rule(admins(200)),
    ("PUT", "/streams/{stream_id}/invites/{code}"): Rule(admins(200), {"role": "viewer"}),
    ("DELETE", "/streams/{stream_id}/invites/{code}"): Rule(admins(204), changes=True),
    ("GET", "/invites/{code}"): Rule(public(200)),
    ("POST", "/invites/{code}/join"): Rule(
        signed_in(409) | {"outsider": 200, "revoked": 200, "site_admin": 200}, changes=True
    ),
    # --- chunked uploads and notifications
    ("POST", "/videos/{video_id}/uploads"): Rule(uploader(409)),
    ("GET", "/videos/{video_id}/uploads/{upload_id}"): Rule(uploader(200)),
    ("POST", "/videos/{video_id}/uploads/{upload_id}/parts"): Rule(uploader(409), {"parts": [{"number": 1}]}),
    ("POST", "/videos/{video_id}/uploads/{upload_id}/complete"): Rule(uploader(409)),
    ("DELETE", "/videos/{video_id}/uploads/{upload_id}"): Rule(uploader(204)),
    ("POST", "/webhooks/minio/upload-complete"): Rule(public(401), {"Records": []}),
    # --- social and shares
    ("POST", "/videos/{video_id}/like"): Rule(members(200)),
    ("GET", "/videos/{video_id}/likes"): Rule(members(200)),
    ("POST", "/videos/{video_id}/share"): Rule(creators(201), {}),
    ("GET", "/videos/{video_id}/shares"): Rule(members(200)),
    ("DELETE", "/shares/{code}"): Rule(
        signed_in(404) | {"uploader": 204, "admin": 204, "owner": 204}, path="/shares/{share_code}", changes=True
    ),
    ("GET", "/share/{code}"): Rule(public(200), path="/share/{share_code}"),
    ("GET", "/share/{code}/embed"): Rule(public(200), path="/share/{share_code}/embed"),
    ("GET", "/share/{code}/thumbnail"): Rule(public(200), path="/share/{share_code}/thumbnail"),
    ("POST", "/share/{code}/unlock"): Rule(public(303), {"password": "any"}, path="/share/{share_code}/unlock"),
    ("GET", "/oembed"): Rule(public(404), query="?url=https%3A%2F%2Fexample.com%2F"),
    ("GET", "/static/{name}"): Rule(public(404), path="/static/nothing.js"),
    # --- webhooks out
    ("GET", "/streams/{stream_id}/webhooks"): Rule(admins(200)),
    ("POST", "/streams/{stream_id}/webhooks"): Rule(
        admins(201), {"url": "https://receiver.invalid/", "events": ["video.ready"]}
    ),
    ("PUT", "/streams/{stream_id}/webhooks/{webhook_id}"): Rule(
        admins(200), {"url": "https://receiver.invalid/", "events": ["video.ready"]}
    ),
    ("DELETE", "/streams/{stream_id}/webhooks/{webhook_id}"): Rule(admins(204), changes=True),
    ("GET", "/streams/{stream_id}/webhooks/{webhook_id}/deliveries"): Rule(admins(200)),
    ("POST", "/streams/{stream_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/replay"): Rule(admins(202)),
    ("POST", "/streams/{stream_id}/webhooks/{webhook_id}/test"): Rule(admins(202)),
    # --- operator, duplicates, assets
    ("GET", "/processing/queue"): Rule(operator(200)),
    ("GET", "/processing/stats"): Rule(operator(200)),
    ("GET", "/system/storage"): Rule(operator(200)),
    ("POST", "/admin/processing/retry"): Rule(operator(200), {"all": True}),
    ("POST", "/admin/processing/cancel"): Rule(operator(404), {"video_id": NOT_THERE}),
    ("POST", "/admin/processing/skip"): Rule(operator(404), {"video_id": NOT_THERE, "stage": "stt"}),
    ("GET", "/admin/duplicates"): Rule(operator(200)),
    ("POST", "/admin/duplicates/{id}/dismiss"): Rule(operator(409), path="/admin/duplicates/{video_id}/dismiss"),
    ("POST", "/assets/scan"): Rule(operator(200), {}),
    ("POST", "/graphql"): Rule(operator(200), {"query": "mutation { scanMediaFolder { found } }"}),
    # --- intelligence and files
    ("PUT", "/videos/{video_id}"): Rule(uploader(200), {"title": "Ace", "tags": ["clutch"]}),
    ("GET", "/videos/{video_id}/trimmed"): Rule(members(200)),
    ("GET", "/videos/{video_id}/pov"): Rule(members(200)),
    ("GET", "/videos/{video_id}/timeline"): Rule(members(200)),
    ("GET", "/videos/{video_id}/embeddings"): Rule(members(200)),
    ("GET", "/search/suggestions"): Rule(members(200), query="?q=ammo&stream_id={stream_id}"),
    ("GET", "/files/videos/{video_id}/stream"): Rule(members(200)),
    # --- conventions
    ("GET", "/docs"): Rule(public(200)),
}
