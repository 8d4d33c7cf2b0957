-- What was said, and which parts of which videos are indexed. Owned by the search service.
CREATE TABLE segments (
    video_id  uuid NOT NULL,
    number    integer NOT NULL,
    stream_id uuid NOT NULL,
    track     integer NOT NULL,
    start_s   double precision NOT NULL,
    end_s     double precision NOT NULL,
    text      text NOT NULL,
    -- Both: `english` finds "flanking" by "flank"; `simple` keeps call-outs and short codes exact.
    lexemes   tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple', text) || to_tsvector('english', text)) STORED,
    PRIMARY KEY (video_id, number)
);
CREATE INDEX segments_lexemes ON segments USING gin (lexemes);
CREATE INDEX segments_stream ON segments (stream_id);

CREATE TABLE indexed (
    video_id   uuid NOT NULL,
    part       text NOT NULL CHECK (part IN ('text', 'vectors')),
    stream_id  uuid NOT NULL,
    collection text,
    entries    integer NOT NULL,
    indexed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (video_id, part)
);

-- Deleted videos, so that a late event does not bring one back.
CREATE TABLE deleted (
    video_id   uuid PRIMARY KEY,
    deleted_at timestamptz NOT NULL DEFAULT now()
);
