-- What the gateway owns: people, streams, videos, and what the pipeline told about them.

CREATE TABLE users (
    id          uuid PRIMARY KEY,
    issuer      text NOT NULL,
    subject     text NOT NULL,
    name        text NOT NULL,
    email       text,
    avatar      text,
    site_admin  boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (issuer, subject)
);

CREATE TABLE refresh_tokens (
    hash        bytea PRIMARY KEY,
    family      uuid NOT NULL,
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    revoked_at  timestamptz
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

CREATE TABLE streams (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    owner_id    uuid NOT NULL REFERENCES users,
    settings    jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE members (
    stream_id   uuid NOT NULL REFERENCES streams ON DELETE CASCADE,
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role        text NOT NULL CHECK (role IN ('admin', 'creator', 'viewer')),
    joined_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream_id, user_id)
);
CREATE INDEX members_user ON members (user_id);

-- One row per clip. `media`, `playback`, `transcript`, `embedding`, `duplicate` and `rejection` hold what a stage told;
-- status, processing_index, error and the times are derived from them and from the stage rows, whatever the order.
CREATE TABLE videos (
    id               uuid PRIMARY KEY,
    stream_id        uuid NOT NULL REFERENCES streams,
    uploader_id      uuid NOT NULL REFERENCES users,
    title            text NOT NULL,
    filename         text NOT NULL,
    content_type     text NOT NULL,
    key              text NOT NULL,
    size_bytes       bigint NOT NULL,
    sha256           text,
    recorded_at      timestamptz,
    status           text NOT NULL DEFAULT 'uploading'
                     CHECK (status IN ('uploading', 'processing', 'ready', 'duplicate', 'failed', 'rejected')),
    processing_index smallint NOT NULL DEFAULT 1,
    error            text,
    failed_stage     text,
    duration_s       double precision,
    media            jsonb,
    playback         jsonb,
    transcript       jsonb,
    embedding        jsonb,
    duplicate        jsonb,
    rejection        text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    uploaded_at      timestamptz,
    playable_at      timestamptz,
    ready_at         timestamptz,
    changed_at       timestamptz NOT NULL DEFAULT now(),
    revision         bigint NOT NULL DEFAULT 0,
    look_at          timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN videos.look_at IS 'when the sweeper next looks whether an upload that nobody announced is there';
CREATE INDEX videos_stream ON videos (stream_id, created_at DESC, id DESC);
CREATE INDEX videos_uploader ON videos (uploader_id);
CREATE INDEX videos_changed ON videos (changed_at);
CREATE INDEX videos_uploading ON videos (look_at) WHERE status = 'uploading';

-- One row per clip and stage, made with the clip. `lease_until` is when silence becomes suspicious, by this server's
-- clock; `trigger` is the event that the stage works on, as it stands on the wire.
CREATE TABLE stages (
    video_id     uuid NOT NULL REFERENCES videos ON DELETE CASCADE,
    stage        text NOT NULL,
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'skipped')),
    progress     real NOT NULL DEFAULT 0,
    attempts     integer NOT NULL DEFAULT 0,
    error        text,
    trigger      jsonb,
    queued_at    timestamptz,
    started_at   timestamptz,
    done_at      timestamptz,
    failed_at    timestamptz,
    heartbeat_at timestamptz,
    lease_until  timestamptz,
    sweeps       integer NOT NULL DEFAULT 0,
    PRIMARY KEY (video_id, stage)
);
CREATE INDEX stages_lease ON stages (lease_until) WHERE state IN ('queued', 'running');
CREATE INDEX stages_recent ON stages (stage, done_at DESC) WHERE done_at IS NOT NULL;

CREATE TABLE matches (
    video_id    uuid NOT NULL REFERENCES videos ON DELETE CASCADE,
    other_id    uuid NOT NULL REFERENCES videos ON DELETE CASCADE,
    kind        text NOT NULL CHECK (kind IN ('duplicate', 'trim', 'pov', 'similar')),
    similarity  double precision NOT NULL,
    PRIMARY KEY (video_id, other_id, kind)
);
CREATE INDEX matches_other ON matches (other_id);

-- Deleted videos: late events of theirs change nothing, and what late workers still wrote is removed once more.
CREATE TABLE tombstones (
    video_id    uuid PRIMARY KEY,
    stream_id   uuid NOT NULL,
    deleted_at  timestamptz NOT NULL DEFAULT now(),
    purge_at    timestamptz
);
CREATE INDEX tombstones_purge ON tombstones (purge_at) WHERE purge_at IS NOT NULL;

CREATE TABLE dead_letters (
    id          uuid PRIMARY KEY,
    queue       text NOT NULL,
    reason      text NOT NULL,
    event_id    uuid,
    video_id    uuid,
    body        bytea NOT NULL,
    headers     jsonb NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letters_received ON dead_letters (received_at);
