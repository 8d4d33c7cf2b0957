-- What every service with a database keeps about messages: those it has taken in, and those it has yet to send.

CREATE TABLE inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_age ON inbox (seen_at);

-- `queue`: the one queue it goes to, or NULL for everyone who listens. `error`: why the last try of this row failed,
-- where it was the row's own fault; it waits until `not_before` then.
CREATE TABLE outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id   uuid NOT NULL,
    queue      text,
    body       jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    not_before timestamptz NOT NULL DEFAULT now(),
    attempts   integer NOT NULL DEFAULT 0,
    error      text
);
CREATE UNIQUE INDEX outbox_once ON outbox (event_id, coalesce(queue, ''));
