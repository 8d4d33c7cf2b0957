"""What was made so that a clip plays early is taken away again: when nobody shall play it, when nothing comes of it, and some
time after there is something better.

Here is when; purging.py does it. Workers do not ask before they write: whenever one says that it has written after all, it
is looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from asyncpg import Connection

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipPlayable, ClipPreviewed
from clipstream.gateway.clip import Clip, Leftover
from clipstream.gateway.repository import withdrawals

WATCHED_FOR = timedelta(hours=1)  # whoever began to play it then has come to its end, or to the next
AFTER: Mapping[Leftover, timedelta] = {
    "unwanted": timedelta(0),
    "ended": WATCHED_FOR,  # an operator's retry goes on with what is there
    "replaced": WATCHED_FOR,
}


async def note(connection: Connection, clip: Clip, before: Leftover | None, cause: Envelope | None) -> None:
    """Inside the transaction that saved the clip: have the sweeper take away what is left over now."""
    wrote = cause is not None and isinstance(cause.data, (ClipPlayable, ClipPreviewed))
    if clip.leftover is None and before is not None:
        await withdrawals.clear(connection, clip.id)
    elif clip.leftover is not None and (clip.leftover != before or wrote):
        await withdrawals.plan(connection, clip.id, AFTER[clip.leftover], anew=clip.leftover != before)
