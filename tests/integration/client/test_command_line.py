"""The command line as people and programs use it: a process of its own against a real gateway."""

from __future__ import annotations

import asyncio
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from clipstream.client import Client
from clipstream.client.cli.credentials_file import CredentialsFile
from clipstream.gateway.auth import AccessTokens
from integration.client.conftest import CommandLine, ended
from integration.gateway.world import SECRET, Somebody, World, unknown


@pytest.fixture
async def ann(command: CommandLine, world: World) -> Somebody:
    """Logged in at the command line, with the stream Friday."""
    done = await command.run("login", "Ann")
    assert (done.status, done.out) == (0, "")
    assert "as Ann" in done.err
    assert (await command.run("streams", "new", "Friday")).status == 0
    return await world.person("Ann")


async def _stream(command: CommandLine) -> str:
    return str((await command.run("streams", "--json")).json["streams"][0]["id"])


async def test_from_login_to_logout(command: CommandLine, world: World, ann: Somebody, tmp_path: Path) -> None:
    listed = await command.run("streams")
    assert "Friday" in listed.out
    clip = tmp_path / "ace – clutch.mp4"
    clip.write_bytes(b"the bytes of a clip")
    sent = await command.run("upload", clip)  # the only stream there is
    assert sent.status == 0, sent.err
    video_id = sent.out.split()[0]
    again = await command.run("upload", "--json", clip)
    assert again.json == {"file": str(clip), "video_id": video_id, "status": "already_there", "resumed_bytes": 0}
    shown = (await command.run("ls", "--json", "friday")).json["videos"]
    assert [(video["id"], video["title"]) for video in shown] == [(video_id, "ace – clutch")]
    assert video_id in (await command.run("ls")).out
    assert (await command.run("ls", "--status", "ready", "--json")).json == {"videos": []}
    assert (await command.run("rm", "--yes", video_id)).out == f"{video_id} deleted\n"
    assert (await command.run("whoami")).out.startswith("Ann at ")
    assert (await command.run("logout")).status == 0
    gone = await command.run("streams")
    assert (gone.status, gone.out) == (1, "")
    assert "Log in with: clipstream login" in gone.err


async def test_credentials_are_for_their_owner_alone(command: CommandLine, ann: Somebody) -> None:
    assert stat.S_IMODE(command.credentials.stat().st_mode) == 0o600
    assert stat.S_IMODE(command.credentials.parent.stat().st_mode) == 0o700
    assert json.loads(command.credentials.read_text())["server"] == command.server


async def test_a_playable_clip(command: CommandLine, world: World, ann: Somebody) -> None:
    stream = await _stream(command)
    video_id = await world.uploaded(ann, stream)
    waiting = await command.run("url", str(video_id))
    assert (waiting.status, waiting.out) == (1, "")
    assert "Video still processing" in waiting.err
    ready = await world.ready(ann, stream)
    playing = await command.run("url", str(ready))
    assert playing.status == 0
    assert b"#EXTM3U" in (await world.nobody.get(playing.out.strip())).raw
    shared = await command.run(
        "share", str(ready), "--expires", "7d", "--password", "-", "--start", "0:01", given="x\n"
    )
    assert shared.status == 0, shared.err
    assert (await world.nobody.get(shared.out.strip())).status == 200
    (share,) = (await command.run("shares", str(ready), "--json")).json["shares"]
    assert (share["has_password"], share["start_time"]) == (True, 1.0)
    left = datetime.fromisoformat(share["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    assert (await command.run("unshare", share["code"])).status == 0
    for_ever = (await command.run("share", str(ready), "--json")).json
    assert (for_ever["expires_at"], for_ever["has_password"], for_ever["start_time"]) == (None, False, 0.0)
    assert (await command.run("unshare", for_ever["code"])).status == 0
    assert (await command.run("shares", str(ready), "--json")).json == {"shares": []}


async def test_inviting(command: CommandLine, world: World, ann: Somebody, tmp_path: Path) -> None:
    code = (await command.run("streams", "invite", "friday", "--viewer", "--uses", "1")).out.strip()
    bob = CommandLine(tmp_path / "bob", command.server)
    assert (await bob.run("login", "Bob")).status == 0
    joined = await bob.run("streams", "join", code, "--json")
    assert (joined.json["stream_id"], joined.json["role"]) == (await _stream(command), "viewer")
    again = await bob.run("streams", "join", code)
    assert (again.status, again.err) == (1, "Already a member of this stream\n")


async def test_searching(command: CommandLine, world: World, ann: Somebody) -> None:
    video_id = await world.uploaded(ann, await _stream(command), title="Clutch on the bridge")
    found = await command.run("search", "--mode", "title", "the", "bridge")
    assert found.status == 0, found.err
    assert str(video_id) in found.out
    result = (await command.run("search", "--mode", "title", "--json", "bridge")).json
    assert [video["id"] for video in result["videos"]] == [str(video_id)]


async def test_watching_a_video_to_its_end(command: CommandLine, world: World, ann: Somebody) -> None:
    stream = await _stream(command)
    video_id = await world.uploaded(ann, stream)
    async with world.running():
        process = await command.start("watch", "--json", str(video_id))
        assert process.stdout is not None
        first = json.loads(await process.stdout.readline())
        assert (first["event"], first["data"]["status"]) == ("processing", "processing")
        await world.put_outputs(video_id)
        await world.project(*(await world.story(video_id, stream)).finish().told)
        outcome = await ended(process)
    events = [json.loads(line) for line in outcome.out.splitlines()]
    assert outcome.status == 0
    assert events[-1]["data"]["status"] == "ready"


async def test_watching_a_stream(command: CommandLine, world: World, ann: Somebody) -> None:
    stream = await _stream(command)
    async with world.running():
        process = await command.start("watch", "--json", "Friday")
        assert process.stdout is not None
        assert json.loads(await process.stdout.readline()) == {"event": "snapshot", "data": {"videos": []}}
        video_id = await world.uploaded(ann, stream)
        event = json.loads(await process.stdout.readline())
        process.kill()
        await process.communicate()
    assert (event["event"], event["data"]["id"]) == ("video", str(video_id))


async def test_a_program_with_a_key_for_uploads_alone(command: CommandLine, world: World, tmp_path: Path) -> None:
    owner = await world.person("Recorder")
    stream = await world.stream(owner)
    key = await world.key(owner, ["upload"])
    assert key.token is not None
    done = await command.run("login", "--key", "-", "--json", given=f"{key.token}\n")
    assert (done.status, done.json["kind"]) == (0, "key")
    assert key.token not in done.out + done.err
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"recorded")
    assert (await command.run("upload", "--stream", stream, clip)).status == 0
    refused = await command.run("ls", stream)
    assert refused.status == 1
    assert "Insufficient scope" in refused.err


async def test_a_wrong_key_is_not_kept(command: CommandLine) -> None:
    done = await command.run("login", "--key", "csk_wrong")
    assert done.status == 1
    assert "Invalid or expired token" in done.err
    assert not command.credentials.exists()


async def _expire(command: CommandLine) -> None:
    """The access token that is kept becomes one of an hour ago, of the same login."""
    kept = json.loads(command.credentials.read_text())
    tokens = kept["servers"][command.server]["tokens"]
    now = AccessTokens(SECRET, timedelta(minutes=10)).verify(tokens["app_token"])
    past = AccessTokens(SECRET, timedelta(minutes=10), clock=lambda: datetime.now(UTC) - timedelta(hours=1))
    tokens["app_token"], _ = past.issue(now.user_id, now.login_id)
    command.credentials.write_text(json.dumps(kept))


async def test_a_login_that_has_expired_is_renewed_and_kept(command: CommandLine, ann: Somebody) -> None:
    await _expire(command)
    before = json.loads(command.credentials.read_text())["servers"][command.server]["tokens"]
    done = await asyncio.gather(*(command.run("whoami") for _ in range(3)))
    assert [(one.status, one.err) for one in done] == [(0, "")] * 3
    after = json.loads(command.credentials.read_text())["servers"][command.server]["tokens"]
    assert after["refresh_token"] != before["refresh_token"]
    assert stat.S_IMODE(command.credentials.stat().st_mode) == 0o600
    await _expire(command)
    assert (await command.run("whoami")).status == 0


async def test_commands_that_run_at_once_renew_their_login_once(
    command: CommandLine, world: World, ann: Somebody
) -> None:
    """Each has read the file before any of them renews."""
    await _expire(command)
    given = len(await world.rows("refresh_tokens"))
    several = [CredentialsFile(command.credentials).credentials(command.server) for _ in range(5)]
    async with aiohttp.ClientSession() as session:
        clients = [Client(session, command.server, credentials) for credentials in several]
        accounts = await asyncio.gather(*(client.accounts.me() for client in clients))
    assert {account.name for account in accounts} == {"Ann"}
    assert len(await world.rows("refresh_tokens")) == given + 1
    assert (await command.run("login", "Ann")).status == 0  # the lock was given back


async def test_refusals_are_told_in_the_servers_words(command: CommandLine, ann: Somebody, tmp_path: Path) -> None:
    refused = await command.run("url", unknown())
    assert (refused.status, refused.out, refused.err) == (1, "", "Video not found\n")
    for_programs = await command.run("url", "--json", unknown())
    assert json.loads(for_programs.err) == {"error": "Video not found", "status": 404, "details": []}
    notes, clip = tmp_path / "notes.txt", tmp_path / "clip.mp4"
    notes.write_bytes(b"no clip")
    clip.write_bytes(b"a clip")
    mixed = await command.run("upload", "--json", notes, clip)
    assert mixed.status == 1
    first, second = [json.loads(line) for line in mixed.out.splitlines()]
    assert (first["status"], first["reason"]["error"], second["status"]) == ("failed", "Invalid video file", "sent")


async def test_trouble_is_told_in_words(command: CommandLine, ann: Somebody, tmp_path: Path) -> None:
    nobody = await command.run("ls", "--server", "http://127.0.0.1:1")
    assert nobody.status == 1
    assert "127.0.0.1:1 does not answer" in nobody.err
    command.credentials.write_text("{")
    broken = await command.run("ls")
    assert broken.status == 1
    assert "Delete it, and log in again" in broken.err
    command.credentials.unlink()
    command.credentials.mkdir()
    odd = await command.run("ls")
    assert odd.status == 1
    assert "credentials.json: Is a directory" in odd.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["ls", "no stream of mine"],
        ["url", "no-id"],
        ["upload", "/does/not/exist.mp4"],
        ["upload"],
        ["rm", str(uuid4())],
        ["share", str(uuid4()), "--expires", "soon"],
        ["login"],
        ["login", "Ann", "--key", "csk_x"],
        ["ls", "--server", "ftp://clips.example"],
        ["search", "--mode", "smell", "x"],
    ],
)
async def test_what_is_asked_wrongly_is_another_status(
    command: CommandLine, ann: Somebody, arguments: list[str]
) -> None:
    done = await command.run(*arguments)
    assert (done.status, done.out) == (2, "")
    assert "Usage: clipstream" in done.err


async def test_text_of_others_is_no_markup(command: CommandLine, world: World, ann: Somebody) -> None:
    await world.uploaded(ann, await _stream(command), title="[red]not red[/red] [/]")
    assert "[red]not red[/red] [/]" in (await command.run("ls")).out
