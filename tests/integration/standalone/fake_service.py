"""A stand-in for a service: answers /health, writes down when it starts and stops, and misbehaves as told.

fake_service.py NAME PORT JOURNAL [--drain-s S] [--ignore-term] [--fail-times N]
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    parser.add_argument("journal", type=Path)
    parser.add_argument("--drain-s", type=float, default=0.0)
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--fail-times", type=int, default=0)
    given = parser.parse_args()
    _note(given, "start")
    if given.journal.read_text().count(f"start {given.name}\n") <= given.fail_times:
        sys.exit("the configuration is wrong")
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: None if given.ignore_term else over.set())
    server = HTTPServer(("127.0.0.1", given.port), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    over.wait()
    time.sleep(given.drain_s)
    _note(given, "stop")


def _note(given: argparse.Namespace, what: str) -> None:
    with given.journal.open("a") as journal:
        journal.write(f"{what} {given.name}\n")


if __name__ == "__main__":
    main()
