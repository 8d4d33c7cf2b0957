"""Texts with the words in them that were found: as runs, of which odd ones are those words."""

from __future__ import annotations

from clipstream.gateway.repository.texts import HEADLINE_END, HEADLINE_START

EXCERPT = 160


def runs(written: str, headline: str) -> list[str]:
    """`written`, cut where sentinels stand in `headline`, which is otherwise as long, character by character."""
    cut, place = [], 0
    for run in headline.replace(HEADLINE_END, HEADLINE_START).split(HEADLINE_START):
        cut.append(written[place : place + len(run)])
        place += len(run)
    return cut


def excerpt(marked: list[str], length: int = EXCERPT) -> list[str]:
    """About `length` characters around the first word found."""
    text = "".join(marked)
    if len(text) <= length:
        return marked
    start = max(0, len(marked[0]) - length // 4) if len(marked) > 1 else 0
    start = text.find(" ", start, len(marked[0])) + 1 if start else 0
    kept, place = [], 0
    for run in marked:
        kept.append(run[max(0, start - place) : max(0, start + length - place)])
        place += len(run)
    kept = kept[: max(i for i, run in enumerate(kept) if run) + 1]
    kept[0] = ("… " if start else "") + kept[0]
    if start + length < len(text):
        kept = [*kept, " …"] if len(kept) % 2 == 0 else [*kept[:-1], f"{kept[-1].rstrip()} …"]
    return kept
