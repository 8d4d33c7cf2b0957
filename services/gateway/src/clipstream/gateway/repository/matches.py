"""How videos of one stream relate, read from either side. A row of another stream's video shows nothing, whatever stage
wrote it."""

from __future__ import annotations

from uuid import UUID

from asyncpg import Connection, Record

from clipstream.gateway.repository.streams import After

_OTHER = """
v.id, v.title, v.duration_s, v.created_at, v.uploader_id, u.name AS uploader_name, u.avatar AS uploader_avatar
"""

_WHOSE = """
JOIN videos v ON v.id = m.other AND v.id <> $1 JOIN videos own ON own.id = $1 AND own.stream_id = v.stream_id
JOIN users u ON u.id = v.uploader_id
"""


def _trims(other: str, own: str) -> str:
    """A trim's row stands with the shorter video; the place is on the timeline of the longer one, whoever asks."""
    return f"""
SELECT {_OTHER}, m.start_time, m.duration, m.similarity
FROM (SELECT {other} AS other, start_time, duration, similarity FROM matches
      WHERE {own} = $1 AND kind = 'trim' AND start_time IS NOT NULL AND duration IS NOT NULL) AS m
{_WHOSE}
"""  # noqa: S608 - only constants of this file are put in


# Seen from the other side, an offset has the other sign. Where both sides told one, the surer one counts.
_POVS = f"""
SELECT DISTINCT ON (m.other) {_OTHER}, m.offset_s, m.confidence
FROM (SELECT other_id AS other, offset_s, coalesce(confidence, similarity) AS confidence, 0 AS turned FROM matches
      WHERE video_id = $1 AND kind = 'pov' AND offset_s IS NOT NULL
      UNION ALL
      SELECT video_id, 0 - offset_s, coalesce(confidence, similarity), 1 FROM matches
      WHERE other_id = $1 AND kind = 'pov' AND offset_s IS NOT NULL) AS m
{_WHOSE}
ORDER BY m.other, m.confidence DESC, m.turned
"""  # noqa: S608

_SIMILAR = f"""
SELECT v.id, v.title, max(m.similarity) AS similarity
FROM (SELECT other_id AS other, similarity FROM matches WHERE video_id = $1 AND kind = 'similar'
      UNION ALL
      SELECT video_id, similarity FROM matches WHERE other_id = $1 AND kind = 'similar') AS m
{_WHOSE}
GROUP BY v.id ORDER BY max(m.similarity) DESC, v.id LIMIT $2
"""  # noqa: S608

_PAGE = """
WHERE $3::timestamptz IS NULL OR (found.created_at, found.id) < ($3, $4::uuid)
ORDER BY found.created_at DESC, found.id DESC LIMIT $2
"""
_INSIDE = _trims(other="video_id", own="other_id")
_AROUND = _trims(other="other_id", own="video_id") + "ORDER BY v.duration_s DESC NULLS LAST, v.id LIMIT $2"
_INSIDE_IN_ORDER = _INSIDE + "ORDER BY m.start_time, v.id LIMIT $2"
_INSIDE_PAGE = f"SELECT * FROM ({_INSIDE}) AS found {_PAGE}"  # noqa: S608
_POVS_PAGE = f"SELECT * FROM ({_POVS}) AS found {_PAGE}"  # noqa: S608


async def cut_from_it(
    connection: Connection, video_id: UUID, *, limit: int, after: After = (None, None)
) -> list[Record]:
    """Clips that this video holds, newest first: `start_time` and `duration` on its timeline, in seconds."""
    return await _fetch(connection, _INSIDE_PAGE, video_id, limit, *after)


async def on_its_timeline(connection: Connection, video_id: UUID, *, limit: int) -> list[Record]:
    """The same, in the order of their places."""
    return await _fetch(connection, _INSIDE_IN_ORDER, video_id, limit)


async def it_was_cut_from(connection: Connection, video_id: UUID, *, limit: int) -> list[Record]:
    """Videos that hold this one, the longest first: `start_time` and `duration` on their timelines."""
    return await _fetch(connection, _AROUND, video_id, limit)


async def points_of_view(
    connection: Connection, video_id: UUID, *, limit: int, after: After = (None, None)
) -> list[Record]:
    """Other recordings of the same moment, newest first: second t of this video is second t + `offset_s` of theirs."""
    return await _fetch(connection, _POVS_PAGE, video_id, limit, *after)


async def similar(connection: Connection, video_id: UUID, *, limit: int) -> list[Record]:
    """`id`, `title` and `similarity`, the most similar first."""
    return await _fetch(connection, _SIMILAR, video_id, limit)


async def _fetch(connection: Connection, sql: str, *given: object) -> list[Record]:
    rows: list[Record] = await connection.fetch(sql, *given)
    return rows
