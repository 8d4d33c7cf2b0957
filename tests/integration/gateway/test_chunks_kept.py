"""Chunked uploads that somebody or something lost sight of: nothing that lives is ended, nothing that is over stays."""

from __future__ import annotations

import pytest

from clipstream.common.errors import NotFound
from clipstream.common.store.parts import PART_SIZE
from integration.gateway.stores import Client, Site


async def test_an_answer_that_was_lost_is_given_again(client: Client) -> None:
    """The store has made the file; then the process died, and the bucket's own event came first."""
    await client.finished()
    (event,) = await client.told()
    await client.world.pool.execute("UPDATE uploads SET state = 'open'")
    again = await client.complete()
    assert (again.status, again.json["status"]) == (200, "processing")
    assert (await client.row())["state"] == "complete"
    assert await client.told() == [event]


async def test_a_file_whose_completion_nobody_heard_of_is_found(client: Client) -> None:
    await client.send(1, 2)
    row = await client.row()
    parts = await client.world.store.list_parts(client.key, row["store_id"])
    await client.world.store.complete_multipart(client.key, row["store_id"], parts)
    assert (await client.look())["state"] == "complete"
    assert (await client.who.get(f"/videos/{client.video_id}")).json["status"] == "processing"
    assert (await client.complete()).status == 200
    assert len(await client.told()) == 1


async def test_an_upload_that_the_store_has_lost_is_begun_anew(client: Client) -> None:
    await client.send(1)
    await client.world.store.abort_multipart(client.key, (await client.row())["store_id"])
    lost = await client.complete()
    assert (lost.status, lost.error) == (409, "Upload not complete")
    assert (await client.look())["state"] == "aborted"
    again = await client.who.post(f"/videos/{client.video_id}/uploads")
    assert (again.status, again.json["received"]) == (201, [])
    client.upload = again.json
    await client.finished()


async def _silent(client: Client, hours: int = 25) -> None:
    """As if nothing had been heard of the upload for so long."""
    for table in ("uploads", "videos"):
        await client.world.pool.execute(f"UPDATE {table} SET seen_at = now() - $1 * interval '1 hour'", hours)  # noqa: S608
    await client.world.pool.execute("UPDATE videos SET look_at = now(), created_at = now() - interval '9 days'")


async def test_nobody_ends_an_upload_whose_parts_still_arrive(client: Client) -> None:
    await client.send(1)
    await _silent(client)
    await client.world.gateway.sweeper.sweep()
    assert (await client.look())["bytes"] == PART_SIZE
    assert (await client.who.get(f"/videos/{client.video_id}")).json["status"] == "uploading"
    await client.send(2)
    assert (await client.complete()).status == 200


@pytest.mark.parametrize("sign_of_life", ["look", "sign", "open"])
async def test_nobody_ends_an_upload_that_somebody_asks_about(client: Client, sign_of_life: str) -> None:
    await client.address(1)
    await _silent(client)
    if sign_of_life == "look":
        await client.look()
    elif sign_of_life == "sign":
        await client.address(1)
    else:
        await client.who.post(f"/videos/{client.video_id}/uploads")
    await client.world.gateway.sweeper.sweep()
    assert not await client.ended()
    assert (await client.look())["state"] == "open"


async def test_a_silent_upload_ends_in_the_store_and_in_words(place: Site, client: Client) -> None:
    await client.send(1)
    await _silent(client)
    async with place.gateway(abandon_after="PT0S") as impatient:  # for which even a part of just now is old
        await impatient.gateway.sweeper.sweep()
        await impatient.pool.execute("UPDATE videos SET look_at = now()")
        await impatient.gateway.sweeper.sweep()
    assert await client.ended()
    assert (await client.row())["state"] == "aborted"
    details = (await client.who.get(f"/videos/{client.video_id}")).json
    assert (details["status"], details["error"]) == ("rejected", "The upload never arrived. Upload the clip again.")


async def test_what_arrived_for_a_deleted_video_is_given_back(client: Client) -> None:
    await client.send(1)
    store_id = (await client.row())["store_id"]
    assert (await client.who.ask("DELETE", f"/videos/{client.video_id}")).status == 204
    await client.world.gateway.sweeper.sweep()
    with pytest.raises(NotFound):
        await client.world.store.list_parts(client.key, store_id)
    assert await client.world.rows("uploads") == []
