"""Whether those who are watching may still watch."""

from __future__ import annotations

from uuid import UUID

from asyncpg import Connection

from clipstream.gateway.signing import Holder, HolderKind

_MEMBER = """
SELECT true FROM videos v JOIN members m ON m.stream_id = v.stream_id WHERE v.id = $1 AND m.user_id = $2
"""

_MEMBERS_KEY = """
SELECT true FROM videos v JOIN members m ON m.stream_id = v.stream_id JOIN api_keys k ON k.user_id = m.user_id
WHERE v.id = $1 AND k.id = $2 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
"""

# What is shared is one video; an exact duplicate shows its original, as long as that is in the same stream.
_SHARED = """
SELECT true FROM shares s JOIN videos v ON v.id = s.video_id JOIN videos shown ON shown.stream_id = v.stream_id
WHERE s.id = $2 AND s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > now())
  AND shown.id = $1
  AND (shown.id = v.id OR (v.status = 'duplicate' AND v.duplicate ->> 'original_id' = shown.id::text))
"""

_MAY_WATCH: dict[HolderKind, str] = {"user": _MEMBER, "key": _MEMBERS_KEY, "share": _SHARED}


async def may_watch(connection: Connection, holder: Holder, video_id: UUID) -> bool:
    """Whether the holder of a media address may see the video now."""
    return bool(await connection.fetchval(_MAY_WATCH[holder.kind], video_id, holder.id))
