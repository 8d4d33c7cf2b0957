"""The same news as Discord's webhooks take it. Titles and names are people's text: none of it may mention anybody, and
none of it may be read as Markdown. https://discord.com/developers/docs/resources/webhook#execute-webhook"""

from __future__ import annotations

import json
import string

from clipstream.gateway.webhooks import TEST, Message

CONTENT_LIMIT, TITLE_LIMIT, DESCRIPTION_LIMIT, FIELD_LIMIT = 2000, 256, 2000, 1024
_SAID = {
    "video.playable": "A new clip can be played.",
    "video.ready": "A clip is ready: captions, search and matches are there.",
    "video.failed": "A clip could not be processed.",
    "video.duplicate": "A clip was uploaded that is here already.",
    TEST: "This webhook works.",
}
_COLOURS = {"video.playable": 0x3B82F6, "video.ready": 0x22C55E, "video.failed": 0xEF4444, "video.duplicate": 0x9CA3AF}
_ZERO_WIDTH = "\u200b"


def discord_body(message: Message) -> bytes:
    """The JSON for Discord, within its bounds."""
    told = message.data
    embed: dict[str, object] = {"title": plain(told.title, TITLE_LIMIT), "timestamp": message.timestamp.isoformat()}
    if told.url is not None:
        embed["url"] = told.url
    if told.error:
        embed["description"] = plain(told.error, DESCRIPTION_LIMIT)
    if told.uploaded_by:
        embed["fields"] = [{"name": "Uploaded by", "value": plain(told.uploaded_by, FIELD_LIMIT), "inline": True}]
    if message.type in _COLOURS:
        embed["color"] = _COLOURS[message.type]
    return json.dumps(
        {
            "content": _SAID.get(message.type, message.type)[:CONTENT_LIMIT],
            "embeds": [embed],
            "allowed_mentions": {"parse": []},
        }
    ).encode()


def plain(text: str, limit: int) -> str:
    """The text so that Discord shows it as it stands, in at most `limit` UTF-16 units: punctuation is escaped, and
    nothing after an @ can be read as a name."""
    shown = ""
    length = 0
    for character in text.replace("\n", " "):
        piece = _escaped(character)
        length += len(piece.encode("utf-16-le", "surrogatepass")) // 2
        if length > limit - 1:
            return f"{shown}…"
        shown += piece
    return shown or _ZERO_WIDTH


def _escaped(character: str) -> str:
    if character == "@":
        return f"\\@{_ZERO_WIDTH}"
    return f"\\{character}" if character in string.punctuation else character
