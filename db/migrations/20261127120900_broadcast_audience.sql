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
CREATE TRIGGER broadcast_audience_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON broadcast_audience
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Who has come during a broadcast, without a look at all who follow.
DROP INDEX follow_of_channel;
CREATE INDEX follow_of_channel ON follow (channel_id, since);

-- migrate:down
DROP INDEX follow_of_channel;
CREATE INDEX follow_of_channel ON follow (channel_id);
DROP TABLE broadcast_audience;
