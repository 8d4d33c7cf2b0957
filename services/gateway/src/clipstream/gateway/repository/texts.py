"""Videos found by what people wrote about them: title, tags, description. Whose streams are looked into is decided here,
in the question itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from asyncpg import Connection, Record

_MINUS = re.compile(r"(?<!\S)-(?=\S)")
_RULED_OUT = "\ue002"
HEADLINE_START, HEADLINE_END = "\ue000", "\ue001"  # private-use characters; taken out of what people wrote

# All words as typed, or the last one as the beginning of a longer word. websearch_to_tsquery takes any text there is;
# what gets a `:*` is PostgreSQL's own writing of the lexemes, never the input.
_QUERY = """
SELECT websearch_to_tsquery('simple', translate(words_of($2::text), U&'\\E002', '-'))
    || coalesce((nullif(plainto_tsquery('simple', words_of($3::text))::text, '') || ':*')::tsquery, '') AS q
"""

_SEEN = """
videos v JOIN members m ON m.stream_id = v.stream_id AND m.user_id = $1
"""

_FOUND = f"""
WITH query AS ({_QUERY})
SELECT v.id FROM query, {_SEEN}
WHERE v.lexemes @@ query.q AND ($4::uuid IS NULL OR v.stream_id = $4)
ORDER BY ts_rank(v.lexemes, query.q) DESC, v.created_at DESC, v.id LIMIT $5
"""  # noqa: S608 - only constants of this file are put in

_OPTIONS = f"StartSel={HEADLINE_START}, StopSel={HEADLINE_END}, HighlightAll=true"
_MARKED = f"""
WITH query AS ({_QUERY})
SELECT v.id, ts_headline('simple', words_of(v.title), query.q, '{_OPTIONS}') AS title,
       ts_headline('simple', words_of(array_to_string(v.tags, ', ')), query.q, '{_OPTIONS}') AS tags,
       ts_headline('simple', words_of(v.description), query.q, '{_OPTIONS}') AS description
FROM query, {_SEEN} WHERE v.id = ANY($4::uuid[])
"""  # noqa: S608

# The newest few by title or tags, so that one letter in a large place costs little more than ten.
_BEGUN = f"""
WITH query AS ({_QUERY}),
found AS (
    SELECT v.title, v.tags, v.created_at FROM query, {_SEEN}
    WHERE v.lexemes @@ query.q AND ts_filter(v.lexemes, ARRAY['a', 'b']::"char"[]) @@ query.q
      AND ($4::uuid IS NULL OR v.stream_id = $4)
    ORDER BY v.created_at DESC LIMIT 200
)
SELECT written, tag FROM (
    SELECT title AS written, false AS tag, created_at FROM found
    UNION ALL
    SELECT t.tag, true, created_at FROM found, unnest(tags) AS t (tag)
) AS texts, query
WHERE to_tsvector('simple', words_of(written)) @@ query.q
GROUP BY written, tag ORDER BY count(*) DESC, max(created_at) DESC, written LIMIT $5
"""  # noqa: S608


async def found(connection: Connection, user_id: UUID, words: str, stream_id: UUID | None, *, limit: int) -> list[UUID]:
    """Videos that `user_id` may see, the best first, always in the same order."""
    rows = await connection.fetch(_FOUND, user_id, *_meant(words), stream_id, limit)
    return [row["id"] for row in rows]


async def marked(connection: Connection, user_id: UUID, words: str, video_ids: Sequence[UUID]) -> list[Record]:
    """`title`, `tags` (joined by commas) and `description` with punctuation as spaces, whole, and sentinels around the
    words found."""
    rows: list[Record] = await connection.fetch(_MARKED, user_id, *_meant(words), list(video_ids))
    return rows


async def begun(
    connection: Connection, user_id: UUID, words: str, stream_id: UUID | None, *, limit: int
) -> list[Record]:
    """`written` titles and tags (`tag`) that go on as `words` began, the most used first."""
    rows: list[Record] = await connection.fetch(_BEGUN, user_id, *_meant(words), stream_id, limit)
    return rows


def _meant(words: str) -> tuple[str, str]:
    """The words as they are searched for: punctuation separates them, but a minus before a word rules it out, and must
    survive. Then the same where the last one may be unfinished; nothing where quotes or a minus say what is meant."""
    kept = _MINUS.sub(_RULED_OUT, words)
    return kept, "" if _RULED_OUT in kept or '"' in words else words
