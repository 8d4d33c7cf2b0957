"""Prepares the broker over its management API: the vhost, one user per kind of client, and the definitions beside this
file. A one-shot job of compose.yaml that may run any number of times; needs nothing but Python's standard library.

The exchange that the object store announces to stands in the definitions, so that nothing announced before the first
worker is up can vanish: the policy keeps what no queue is bound for in `clipstream.unrouted`.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

ENVIRONMENT = os.environ  # noqa: TID251  a one-shot job outside of the services has no Settings
DEFINITIONS = Path(__file__).with_name("definitions.json")
PATIENCE_S = 90.0


def setting(name: str) -> str:
    """The value of an environment variable that has to be there."""
    value = ENVIRONMENT.get(name, "")
    if not value:
        sys.exit(f"broker-setup: {name} is not set")
    return value


class Management:
    """The few calls of RabbitMQ's management API that are needed."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def call(self, method: str, path: str, body: object | None = None) -> bytes:
        request = urllib.request.Request(
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": self._authorization, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            answer: bytes = response.read()
        return answer

    def await_ready(self) -> None:
        """Returns once the API answers; gives up with a sentence."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.call("GET", "/api/overview")
            except urllib.error.HTTPError as refusal:
                if refusal.code == 401:
                    sys.exit(
                        "broker-setup: the broker refuses RABBITMQ_ADMIN_PASSWORD. It was set when the broker's volume "
                        "was made; put the old value back or change it there with rabbitmqctl change_password."
                    )
                problem: Exception = refusal
            except OSError as trouble:
                problem = trouble
            else:
                return
            if time.monotonic() > deadline:
                sys.exit(f"broker-setup: no answer from {self._url} within {PATIENCE_S:.0f} s: {problem}")
            time.sleep(1)


def main() -> None:
    vhost = setting("RABBITMQ_VHOST")
    management = Management(setting("RABBITMQ_MANAGEMENT_URL"), "admin", setting("RABBITMQ_ADMIN_PASSWORD"))
    management.await_ready()
    management.call("PUT", f"/api/vhosts/{quote(vhost, safe='')}", {})

    # The object store may announce and nothing else. It declares its exchange before each message, hence `configure`.
    only_storage = r"^clipstream\.storage$"
    users = {
        "clipstream": (setting("RABBITMQ_PASSWORD"), {"configure": ".*", "write": ".*", "read": ".*"}),
        "objectstore": (
            setting("RABBITMQ_OBJECTSTORE_PASSWORD"),
            {"configure": only_storage, "write": only_storage, "read": ""},
        ),
    }
    for name, (password, permissions) in users.items():
        management.call("PUT", f"/api/users/{name}", {"password": password, "tags": ""})
        management.call("PUT", f"/api/permissions/{quote(vhost, safe='')}/{name}", permissions)

    definitions = json.loads(DEFINITIONS.read_text(encoding="utf-8"))
    management.call("POST", f"/api/definitions/{quote(vhost, safe='')}", definitions)
    print(f"broker-setup: vhost {vhost}, users {', '.join(users)}, definitions applied")


if __name__ == "__main__":
    main()
