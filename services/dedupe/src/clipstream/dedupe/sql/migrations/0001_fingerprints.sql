-- Which clip of a stream is the first of its kind, and which are copies of it. Owned by the dedupe service.
CREATE TABLE fingerprints (
    video_id     uuid PRIMARY KEY,
    stream_id    uuid NOT NULL,
    content_hash text NOT NULL,
    packet_hash  text,            -- not known of a copy that its content hash gave away
    original_id  uuid,            -- null: this is the original
    kind         text CHECK (kind IN ('identical', 'remuxed')),
    decided_at   timestamptz NOT NULL DEFAULT now(),
    CHECK ((original_id IS NULL) = (kind IS NULL)),
    CHECK (original_id IS NOT NULL OR packet_hash IS NOT NULL)
);
CREATE UNIQUE INDEX fingerprints_one_content ON fingerprints (stream_id, content_hash) WHERE original_id IS NULL;
CREATE UNIQUE INDEX fingerprints_one_packets ON fingerprints (stream_id, packet_hash) WHERE original_id IS NULL;
CREATE INDEX fingerprints_copies ON fingerprints (original_id) WHERE original_id IS NOT NULL;

-- Deleted videos, so that a late event does not bring one back.
CREATE TABLE deleted (
    video_id   uuid PRIMARY KEY,
    deleted_at timestamptz NOT NULL DEFAULT now()
);
