"""A private RabbitMQ node: what was confirmed survives a power cut, and nobody else gets in."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

import aio_pika
import pytest

from clipstream.standalone.errors import CannotStart
from clipstream.standalone.processes import running_in
from clipstream.standalone.rabbitmq import RabbitMQ
from integration.standalone.sockets import listening_addresses


async def _publish(url: str, body: bytes) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        queue = await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key=queue.name)


async def _take(url: str) -> bytes:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue("kept")
        message = await queue.get(timeout=20)
        assert message is not None
        await message.ack()
        return message.body


async def test_a_confirmed_message_survives_the_server_being_killed(rabbitmq: RabbitMQ) -> None:
    await _publish(rabbitmq.url, b"before the power cut")
    rabbitmq.flush()
    url = rabbitmq.url
    rabbitmq.kill()
    assert not rabbitmq.alive()
    rabbitmq.start()
    assert rabbitmq.url == url
    assert await _take(url) == b"before the power cut"


async def test_data_is_found_again_by_another_object_on_another_port(rabbitmq: RabbitMQ, tools: Path) -> None:
    await _publish(rabbitmq.url, b"kept")
    first = rabbitmq.identity
    rabbitmq.stop()
    with socket.create_server(("127.0.0.1", first.ports["amqp"])), RabbitMQ(rabbitmq.home, tools) as again:
        assert again.identity.ports["amqp"] != first.ports["amqp"]
        assert again.identity.password == first.password
        assert await _take(again.url) == b"kept"


async def test_two_nodes_run_side_by_side(rabbitmq: RabbitMQ, tmp_path: Path, tools: Path) -> None:
    with RabbitMQ(tmp_path / "other", tools) as other:
        await _publish(rabbitmq.url, b"one")
        await _publish(other.url, b"two")
        assert await _take(rabbitmq.url) == b"one"
        assert await _take(other.url) == b"two"


async def test_only_the_generated_user_may_enter(rabbitmq: RabbitMQ) -> None:
    address = rabbitmq.url.rpartition("@")[2]
    with pytest.raises(aio_pika.exceptions.ProbableAuthenticationError):
        await aio_pika.connect(f"amqp://guest:guest@{address}")
    assert [line.split("\t")[0] for line in rabbitmq.control("list_users", "--no-table-headers").splitlines()] == [
        "clipstream"
    ]
    private = [path for path in rabbitmq.home.iterdir() if path.suffix in (".json", ".conf", ".cookie")]
    assert len(private) == 3
    assert all(path.stat().st_mode & 0o077 == 0 for path in private)


def test_it_listens_on_loopback_only(rabbitmq: RabbitMQ) -> None:
    sockets = listening_addresses(running_in(rabbitmq.home, rabbitmq.executables))
    assert {port for _, port in sockets} == set(rabbitmq.identity.ports.values())
    assert all(ipaddress.ip_address(address).is_loopback for address, _ in sockets)


def test_long_jobs_and_small_machines_are_provided_for(rabbitmq: RabbitMQ) -> None:
    assert rabbitmq.control("eval", "application:get_env(rabbit, consumer_timeout).").strip() == "{ok,7200000}"
    assert rabbitmq.control("eval", "application:get_env(ra, wal_max_size_bytes).").strip() == "{ok,64000000}"


def test_a_second_start_of_the_same_directory_is_refused_in_words(rabbitmq: RabbitMQ, tools: Path) -> None:
    with pytest.raises(CannotStart, match="run by another process"):
        RabbitMQ(rabbitmq.home, tools).start()
    assert rabbitmq.alive()


def test_a_path_with_spaces_is_refused_in_words(tmp_path: Path, tools: Path) -> None:
    with pytest.raises(CannotStart, match="cannot cope with the space in the path"):
        RabbitMQ(tmp_path / "a b", tools).start()
