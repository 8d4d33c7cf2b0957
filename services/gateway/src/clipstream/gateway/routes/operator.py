"""The operator's view of the pipeline: queue, pace, storage, retries."""

from __future__ import annotations

from clipstream.gateway.routes.api import RouteTable

table = RouteTable("operator")
