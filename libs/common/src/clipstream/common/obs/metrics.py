"""Every metric there is, once, with its meaning. Labels are bounded sets: no ids of videos or users."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_JOB_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 900, 3600)
_SHORT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)

# Deliveries by what became of them: done, retried, dead, joined (a redelivery of running work), requeued (given back
# while stopping), settle_lost (the broker was gone when we acknowledged; it delivers again).
MESSAGES = Counter("clipstream_messages", "Deliveries settled, by outcome", ["queue", "outcome"])
# Deliveries being worked on now, and how many may be.
JOBS_IN_FLIGHT = Gauge("clipstream_jobs_in_flight", "Deliveries being worked on", ["queue"])
SLOTS = Gauge("clipstream_slots", "Deliveries that may be worked on at once", ["queue"])
# 1 while our own subscription stands, as far as this process knows.
CONSUMER_UP = Gauge("clipstream_consumer_up", "Whether the subscription stands", ["queue"])

# From handing a message to the broker to its confirmation, retries included.
PUBLISH_SECONDS = Histogram("clipstream_publish_seconds", "Publish until confirmed", buckets=_SHORT_BUCKETS)
# Publishes repeated after a timeout, a lost connection or a refusal.
PUBLISH_RETRIES = Counter("clipstream_publish_retries", "Publishes repeated")
# Events that no queue took: a mistake of the deployment. Alert on any.
UNROUTABLE = Counter("clipstream_unroutable_events", "Events that no queue took", ["type"])
# Transient progress messages that could not be sent, or not be heard.
PROGRESS_LOST = Counter("clipstream_progress_lost", "Progress messages dropped")

# One attempt at one event, by how it ended: done, repeated (manifest found), rejected, failed, retried, cancelled.
STAGE_ATTEMPTS = Counter("clipstream_stage_attempts", "Attempts, by outcome", ["stage", "outcome"])
STAGE_SECONDS = Histogram(
    "clipstream_stage_duration_seconds", "One attempt", ["stage", "outcome"], buckets=_JOB_BUCKETS
)
# From an event's creation to the begin of work on its first attempt.
STAGE_WAIT_SECONDS = Histogram(
    "clipstream_stage_wait_seconds", "Event made until work begun", ["stage"], buckets=_JOB_BUCKETS
)

# Small pictures of images: made, refused (the image is damaged, too large, or none).
PICTURES = Counter("clipstream_pictures", "Pictures asked for that were not there yet, by outcome", ["outcome"])

# How late the event loop answers its watchdog.
LOOP_LAG_SECONDS = Gauge("clipstream_loop_lag_seconds", "Delay of the event loop at the last check")

# Rows waiting to be published, and the age of the oldest one.
OUTBOX_ROWS = Gauge("clipstream_outbox_rows", "Events not published yet")
OUTBOX_OLDEST_SECONDS = Gauge("clipstream_outbox_oldest_seconds", "Age of the oldest event not published yet")

# Requests to the public API.
HTTP_SECONDS = Histogram(
    "clipstream_http_request_duration_seconds",
    "Requests answered",
    ["route", "method", "status"],
    buckets=_SHORT_BUCKETS,
)
