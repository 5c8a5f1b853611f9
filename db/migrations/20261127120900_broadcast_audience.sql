-- migrate:up
-- How many watched a broadcast, a minute or so of it in each row, which is only added to: what one process has counted
-- stays when it dies, and the next one goes on with the same broadcast in rows of its own.
CREATE TABLE broadcast_audience (
    broadcast_id bigint NOT NULL REFERENCES broadcast (id),
    -- when it was taken down; by it the same row is not written twice
    at timestamptz NOT NULL,
    -- of how many seconds the viewers are known, and their sum over each of these
    seconds integer NOT NULL,
    viewer_seconds bigint NOT NULL,
    peak integer NOT NULL,
    PRIMARY KEY (broadcast_id, at),
    CONSTRAINT broadcast_audience_counted CHECK (seconds > 0 AND peak >= 0),
    CONSTRAINT broadcast_audience_fits CHECK (viewer_seconds BETWEEN peak AND peak::bigint * seconds)
);
-- As before, and a trigger may say in its own words why; the rights follow from it as from the others (db/roles.py).
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: %', TG_OP, TG_TABLE_NAME, coalesce(TG_ARGV[0], 'a correction is another transfer')
        USING ERRCODE = 'P0001';
END
$$;
CREATE TRIGGER broadcast_audience_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON broadcast_audience
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('what was counted stays as it was counted');

-- migrate:down
DROP TABLE broadcast_audience;
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: a correction is another transfer', TG_OP, TG_TABLE_NAME USING ERRCODE = 'P0001';
END
$$;
