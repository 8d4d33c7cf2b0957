"""What came out of each clip, asked from the API as any program would, and whether it is what must come out."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from urllib.parse import urljoin
from uuid import UUID

import av

from clipstream.client import Client
from clipstream.client.models import NotComplete, Playback
from clipstream.standalone.demo.watch import Followed

MIN_RECALL = 0.6  # of the words spoken; the demo model is small
SECONDS_OFF = 1.5


@dataclass(slots=True)
class Finding:
    """One row of the table, and the sentences that say what is wrong with it."""

    clip: Followed
    renditions: tuple[int, ...]
    transcript: str
    duplicate_of: str
    url: str
    problems: list[str]


async def examine(client: Client, clip: Followed, titles: dict[UUID, str]) -> Finding:
    """Ask everything the table shows about one clip."""
    sample, problems = clip.sample, []
    if clip.status != sample.outcome:
        problems.append(f"is {clip.status}, not {sample.outcome}: {clip.reason or 'no reason given'}")
    finding = Finding(clip, (), "", "", "", problems)
    if clip.status == "ready":
        await _examine_playback(client, finding)
        await _examine_transcript(client, finding)
    elif clip.status == "duplicate":
        await _examine_duplicate(client, finding, titles)
    elif not clip.reason:
        problems.append("ended without a reason in words")
    return finding


async def _examine_playback(client: Client, finding: Finding) -> None:
    stream = await client.videos.playback(finding.clip.video_id)
    if not isinstance(stream, Playback) or finding.clip.details is None:
        finding.problems.append("cannot be played")
        return
    finding.renditions, finding.url = tuple(stream.bitrates), stream.hls_url
    duration = finding.clip.details.duration or 0.0
    expected = finding.clip.sample.renditions
    if finding.renditions != expected:
        finding.problems.append(f"has renditions {finding.renditions}, not {expected}")
    master = (await client.fetch(finding.url)).decode()
    for name in re.findall(r"^(?!#)(\S+\.m3u8)$", master, re.MULTILINE):
        frames = await _decoded_frames(client, urljoin(finding.url, name))
        if abs(frames - duration * 30) > 2:
            finding.problems.append(f"{name} decodes to {frames} frames of {duration:.1f} s")


async def _decoded_frames(client: Client, playlist_url: str) -> int:
    playlist = (await client.fetch(playlist_url)).decode()
    parts = re.findall(r'#EXT-X-MAP:URI="([^"]+)"', playlist) + re.findall(r"^(?!#)(\S+)$", playlist, re.MULTILINE)
    body = b"".join([await client.fetch(urljoin(playlist_url, part)) for part in parts])
    with av.open(io.BytesIO(body), "r") as container:
        return sum(1 for _ in container.decode(video=0))


async def _examine_transcript(client: Client, finding: Finding) -> None:
    transcript = await client.videos.transcript(finding.clip.video_id)
    if isinstance(transcript, NotComplete):
        finding.problems.append("has no transcript")
        return
    finding.transcript = " / ".join(segment["text"] for segment in transcript["segments"])
    spoken = [word for _, phrase in finding.clip.sample.spoken for word in phrase.split()]
    heard = finding.transcript.lower().split()
    if spoken and sum(word in heard for word in spoken) < MIN_RECALL * len(spoken):
        finding.problems.append(f"was transcribed as {finding.transcript!r}")
    if not spoken and finding.transcript:
        finding.problems.append(f"is silent, yet transcribed as {finding.transcript!r}")


async def _examine_duplicate(client: Client, finding: Finding, titles: dict[UUID, str]) -> None:
    original = (await client.videos.duplicate(finding.clip.video_id)).original_video
    finding.duplicate_of = titles.get(original.id, str(original.id))
    if finding.duplicate_of != finding.clip.sample.original:
        finding.problems.append(f"is a duplicate of {finding.duplicate_of}, not of {finding.clip.sample.original}")


@dataclass(slots=True)
class SearchFinding:
    """One search and the second it landed on."""

    query: str
    title: str
    second: float | None
    snippet: str
    problems: list[str]


async def search(client: Client, stream_id: UUID, clips: list[Followed]) -> list[SearchFinding]:
    """Every clip with speech must be found by one of its phrases, at its second."""
    findings = []
    for clip in (clip for clip in clips if clip.sample.spoken):
        best = SearchFinding("", "", None, "", ["none of its phrases finds it"])
        for second, phrase in clip.sample.spoken:
            found = await _search_one(client, stream_id, clip, second, phrase)
            if found and not found.problems:
                best = found
                break
            best = found or best
        findings.append(best)
    return findings


async def _search_one(
    client: Client, stream_id: UUID, clip: Followed, second: float, phrase: str
) -> SearchFinding | None:
    for video in (await client.search(phrase, stream_id=stream_id)).videos:
        if video.id == clip.video_id:
            problems = []
            if abs(video.timestamp - second) > SECONDS_OFF:
                problems.append(f"{phrase!r} was found at {video.timestamp:.1f} s, spoken at {second:.1f} s")
            return SearchFinding(phrase, clip.sample.title, video.timestamp, video.snippet, problems)
    return None
