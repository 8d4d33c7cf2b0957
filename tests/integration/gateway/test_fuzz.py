"""schemathesis over the whole document: generated requests, good and bad, against a gateway with things in it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from integration.gateway.conftest import Friends
from integration.gateway.scenes import scene
from integration.gateway.world import World

# Streams that never end, and what would sign the fuzzer out.
LEFT_OUT = r"/events$|^/auth/logout$"
# A cursor or an upload's address is text that only the gateway can make: by its schema alone nobody finds a good one.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "303", "400", "401", "403", "404", "409", "412", "413", "415", "422", "429", "5xx"]

# Without a search service that part of the API says so; oEmbed has 501 for formats that are not answered.
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "501", "503"]

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "429"]
"""

# The scene's own things, so that single requests get further than "not found".
KNOWN_THINGS = """
[[operations]]
include-method = ["GET", "POST", "PUT"]
parameters = {{ {known} }}

[[operations]]
include-path-regex = "^/shares?/"
include-method = ["GET", "POST"]
parameters = {{ "path.code" = "{share_code}" }}
"""
KNOWN = ("video_id", "stream_id", "user_id", "webhook_id", "delivery_id", "upload_id", "code")


async def test_single_requests_are_answered_as_the_document_says(
    world: World, friends: Friends, tmp_path: Path
) -> None:
    """The owner of the stream, who also runs the place, may do everything there is to do."""
    ids = await scene(world, friends)
    known = ", ".join(f'"path.{name}" = "{ids[name]}"' for name in KNOWN)
    configuration = CONFIGURATION + KNOWN_THINGS.format(known=known, **ids)
    # The scene's stream and invite must not be gone when the next request names them.
    kept = ("--exclude-operation-id", "delete_stream", "--exclude-operation-id", "delete_invite")
    await _try(world, friends, tmp_path, configuration, "--phases", "examples,coverage,fuzzing", *kept)


async def test_chains_of_requests_are_answered_as_the_document_says(
    world: World, friends: Friends, tmp_path: Path
) -> None:
    """What one request made, the next ones name, until it is deleted and must be gone."""
    await _try(world, friends, tmp_path, CONFIGURATION, "--phases", "stateful")


async def _try(world: World, friends: Friends, directory: Path, configuration: str, *more: str) -> None:
    await world.pool.execute("UPDATE users SET site_admin = true WHERE id = $1", friends.owner.user_id)
    (directory / "schemathesis.toml").write_text(configuration)
    (directory / "openapi.json").write_bytes((await friends.owner.get("/openapi.json")).raw)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(directory / "openapi.json")),
        *("--url", str(world.base), "--header", f"Authorization: Bearer {friends.owner.token}"),
        *("--checks", "all", "--seed", "1", "--max-examples", "15", *more),
        *("--exclude-path-regex", LEFT_OUT, "--no-color", "--suppress-health-check", "all"),
    ]
    async with world.running():
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "COLUMNS": "200"},  # noqa: TID251 - the child needs this machine's PATH
        )
        told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
