-- Clips that play before everything is made, and wait for their turn; stages whose work comes in parts.

-- `preview`, `playable` and `uniqueness` are what stages told, the last one as the whole event. `turn`, `leftover` follow from
-- the facts: whether the clip waits until fewer of its uploader's are worked on, and why what was made to play early has to
-- go. `purge_at` is when the sweeper takes that away, `leftover_since` when it became so, by this server's clock.
ALTER TABLE videos
    ADD COLUMN preview        jsonb,
    ADD COLUMN playable       jsonb,
    ADD COLUMN uniqueness     jsonb,
    ADD COLUMN admitted_at    timestamptz,
    ADD COLUMN turn           text CHECK (turn IN ('waits', 'works')),
    ADD COLUMN leftover       text CHECK (leftover IN ('unwanted', 'ended', 'replaced')),
    ADD COLUMN leftover_since timestamptz,
    ADD COLUMN purge_at       timestamptz;
CREATE INDEX videos_turn ON videos (uploader_id, turn) WHERE turn IS NOT NULL;
CREATE INDEX videos_purge ON videos (purge_at) WHERE purge_at IS NOT NULL;

-- `parts`: how far each part is, 0 to 1. `held`: it gets its trigger when its clip's turn comes.
ALTER TABLE stages
    ADD COLUMN parts real[],
    ADD COLUMN held  boolean NOT NULL DEFAULT false;

-- `known` with what was heard of part `part` (from 0) of `count`. No part goes back.
CREATE FUNCTION with_part(known real[], part integer, count integer, fraction real) RETURNS real[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT array_agg(greatest(coalesce(known[i], 0), CASE WHEN i = part + 1 THEN fraction ELSE 0 END) ORDER BY i)
    FROM generate_series(1, count) AS i
);

CREATE FUNCTION mean_of(fractions real[]) RETURNS real LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT avg(fraction) FROM unnest(fractions) AS fraction);

-- Who was worked on stays so, under the event by which that is told now; its fields are the same.
UPDATE stages SET trigger = jsonb_set(trigger, '{type}', '"clip.admitted.v1"') WHERE trigger ->> 'type' = 'clip.unique.v1';
UPDATE videos v
SET admitted_at = (s.trigger ->> 'time')::timestamptz,
    turn = CASE WHEN s.state IN ('queued', 'running') THEN 'works' END
FROM stages s WHERE s.video_id = v.id AND s.stage = 'transcode' AND s.trigger ->> 'type' = 'clip.admitted.v1';

-- A clip that is being worked on gets its poster now, by the event that dedupe got as well. Others have theirs.
INSERT INTO stages (video_id, stage, state, trigger, queued_at, lease_until, skipped_at, waived_at)
SELECT v.id, 'preview', how.state,
       CASE WHEN how.state = 'queued' THEN dedupe.trigger END,
       CASE WHEN how.state = 'queued' AND dedupe.trigger IS NOT NULL THEN now() END,
       CASE WHEN how.state = 'queued' AND dedupe.trigger IS NOT NULL THEN now() END,
       CASE WHEN how.state = 'skipped' THEN now() END,
       CASE WHEN how.state = 'skipped' THEN now() END
FROM videos v
JOIN stages dedupe ON dedupe.video_id = v.id AND dedupe.stage = 'dedupe',
LATERAL (
    SELECT CASE WHEN v.status IN ('uploading', 'processing') AND v.playback IS NULL THEN 'queued' ELSE 'skipped' END AS state
) AS how;

-- Where there is a transcript already, it was joined to the playlists by nobody, and will not be.
INSERT INTO stages (video_id, stage, state, skipped_at, waived_at)
SELECT v.id, 'captions',
       CASE WHEN v.transcript IS NULL AND v.status IN ('uploading', 'processing') THEN 'queued' ELSE 'skipped' END,
       CASE WHEN v.transcript IS NOT NULL THEN now() END,
       CASE WHEN v.transcript IS NOT NULL THEN now() END
FROM videos v;
