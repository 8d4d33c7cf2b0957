-- Videos are found by what people wrote about them. Punctuation separates words, so that `ace_clutch.mp4` is found by
-- "clutch"; else there would be host names, tags and paths that the parser keeps in one piece. The last two characters mark
-- words in answers.
CREATE FUNCTION words_of(written text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN translate(written, '._-/\:@#+&<>=~|()[]{}' || U&'\E000\E001', repeat(' ', 23));

CREATE FUNCTION words_of(written text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN words_of(array_to_string(written, ' '));

-- No stemming and no stop words: titles are names. Weights: A title, B tags, C description.
ALTER TABLE videos ADD COLUMN lexemes tsvector GENERATED ALWAYS AS (
    setweight(to_tsvector('simple', words_of(title)), 'A') ||
    setweight(to_tsvector('simple', words_of(tags)), 'B') ||
    setweight(to_tsvector('simple', words_of(description)), 'C')
) STORED;
CREATE INDEX videos_lexemes ON videos USING gin (lexemes);
