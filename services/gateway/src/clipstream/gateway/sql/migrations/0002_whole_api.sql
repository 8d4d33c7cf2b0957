-- What the whole API needs beside the pipeline's read model. Codes and tokens are never stored, only their SHA-256.

-- A rotated token knows its successor, so that a lost answer can be told from theft for some seconds.
ALTER TABLE refresh_tokens ADD COLUMN successor bytea;
CREATE UNIQUE INDEX refresh_tokens_usable ON refresh_tokens (family) WHERE used_at IS NULL AND revoked_at IS NULL;
COMMENT ON INDEX refresh_tokens_usable IS 'a login has one token that can be used, or it is over';

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name         text NOT NULL,
    hint         text NOT NULL,
    hash         bytea NOT NULL UNIQUE,
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
COMMENT ON COLUMN api_keys.hint IS 'the first characters, by which its owner knows it again';
CREATE INDEX api_keys_user ON api_keys (user_id, created_at DESC, id DESC);

CREATE TABLE invites (
    id          uuid PRIMARY KEY,
    stream_id   uuid NOT NULL REFERENCES streams ON DELETE CASCADE,
    hash        bytea NOT NULL UNIQUE,
    role        text NOT NULL CHECK (role IN ('creator', 'viewer')),
    created_by  uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    usage_limit integer CHECK (usage_limit > 0),
    used_count  integer NOT NULL DEFAULT 0,
    CHECK (usage_limit IS NULL OR used_count <= usage_limit)
);
CREATE INDEX invites_stream ON invites (stream_id, created_at DESC, id DESC);

-- `stored_bytes` is what the pipeline made of the clip; the original is `size_bytes`. `content_hash` is that of the bytes
-- which arrived, as the store or a stage found it, whatever the uploader said. `seen_at` is the last sign of life of an
-- upload. `cancelled` and `dismissed_at` are facts like those that stages tell: an operator ended the work, or said that it
-- is no duplicate.
ALTER TABLE videos
    ADD COLUMN description  text NOT NULL DEFAULT '',
    ADD COLUMN tags         text[] NOT NULL DEFAULT '{}',
    ADD COLUMN stored_bytes bigint NOT NULL DEFAULT 0,
    ADD COLUMN content_hash text,
    ADD COLUMN seen_at      timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN cancelled    text,
    ADD COLUMN dismissed_at timestamptz;
CREATE INDEX videos_content ON videos (stream_id, content_hash) WHERE content_hash IS NOT NULL;
CREATE INDEX videos_open ON videos (uploader_id) WHERE status = 'uploading';
ALTER TABLE stages
    ADD COLUMN skipped_at timestamptz,
    ADD COLUMN waived_at  timestamptz,
    ADD COLUMN retries    integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN stages.waived_at IS 'since when the clip does not wait for this stage: it failed once, or was skipped';
UPDATE stages SET waived_at = failed_at WHERE failed_at IS NOT NULL;
CREATE INDEX videos_duplicates ON videos (created_at DESC, id DESC) WHERE status = 'duplicate';
CREATE INDEX stages_state ON stages (state, stage);

-- A trim: `other_id` holds `video_id` from its second `start_time` on, for `duration` seconds. A point of view:
-- second t of `video_id` is second t + `offset_s` of `other_id`.
ALTER TABLE matches
    ADD COLUMN start_time double precision,
    ADD COLUMN duration   double precision,
    ADD COLUMN offset_s   double precision,
    ADD COLUMN confidence double precision;

-- A chunked upload of one video's file. Its parts' places follow from size and part size; what has arrived is asked of
-- the store, which alone knows. `store_id` is the store's name for it, once the first part was asked for; `checksums`, whether
-- its parts come with theirs. A row outlives its video, so that what has arrived is given back.
CREATE TABLE uploads (
    id           uuid PRIMARY KEY,
    video_id     uuid REFERENCES videos ON DELETE SET NULL,
    key          text NOT NULL,
    store_id     text,
    checksums    boolean NOT NULL DEFAULT false,
    size_bytes   bigint NOT NULL,
    part_size    bigint NOT NULL,
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'complete', 'aborted')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    seen_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX uploads_video ON uploads (video_id);
CREATE UNIQUE INDEX uploads_open ON uploads (video_id) WHERE state = 'open';
CREATE INDEX uploads_seen ON uploads (seen_at) WHERE state = 'open';

CREATE TABLE likes (
    video_id   uuid NOT NULL REFERENCES videos ON DELETE CASCADE,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (video_id, user_id)
);
CREATE INDEX likes_user ON likes (user_id);

CREATE TABLE shares (
    id             uuid PRIMARY KEY,
    video_id       uuid NOT NULL REFERENCES videos ON DELETE CASCADE,
    hash           bytea NOT NULL UNIQUE,
    created_by     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz,
    revoked_at     timestamptz,
    password       text,
    start_time     double precision NOT NULL DEFAULT 0,
    opened_count   bigint NOT NULL DEFAULT 0,
    last_opened_at timestamptz
);
COMMENT ON COLUMN shares.password IS 'scrypt with its salt and cost, or null';
CREATE INDEX shares_video ON shares (video_id, created_at DESC, id DESC);

CREATE TABLE webhooks (
    id          uuid PRIMARY KEY,
    stream_id   uuid NOT NULL REFERENCES streams ON DELETE CASCADE,
    url         text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('standard', 'discord')),
    events      text[] NOT NULL,
    created_by  uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at  timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);
CREATE INDEX webhooks_stream ON webhooks (stream_id, created_at DESC, id DESC);

-- One row per webhook and event, made in the transaction that changed the video.
CREATE TABLE deliveries (
    id           uuid PRIMARY KEY,
    webhook_id   uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    event        text NOT NULL,
    video_id     uuid NOT NULL,
    payload      jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    due_at       timestamptz DEFAULT now(),
    attempts     integer NOT NULL DEFAULT 0,
    delivered_at timestamptz,
    failed_at    timestamptz,
    status       integer,
    error        text
);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX dead_letters_video ON dead_letters (video_id) WHERE video_id IS NOT NULL;
CREATE INDEX deliveries_video ON deliveries (video_id);
CREATE INDEX deliveries_webhook ON deliveries (webhook_id, created_at DESC, id DESC);

-- The answer that a creating request was given, for the same request sent again. Without a status it is still running.
CREATE TABLE idempotency_keys (
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    route      text NOT NULL,
    key        text NOT NULL,
    request    bytea NOT NULL,
    status     integer,
    answer     bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, route, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- A reader of live events who comes back asks what happened in the stream since.
CREATE INDEX videos_stream_changed ON videos (stream_id, changed_at);
CREATE INDEX tombstones_stream ON tombstones (stream_id, deleted_at);
