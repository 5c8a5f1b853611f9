-- migrate:up
-- How many follow each channel, counted by the transaction that changes it: every page of a channel says it, and a hundred
-- thousand rows are not counted for each.
CREATE TABLE channel_followers (
    channel_id bigint PRIMARY KEY REFERENCES channel (id),
    followers bigint NOT NULL,
    CONSTRAINT channel_followers_not_below_none CHECK (followers >= 0)
) WITH (fillfactor = 70);

-- Of several channels in one statement always in one order: two who change the same ones wait, and do not block each other.
CREATE FUNCTION count_follows_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO channel_followers AS c (channel_id, followers)
    SELECT m.channel_id, count(*) FROM made m GROUP BY m.channel_id ORDER BY m.channel_id
    ON CONFLICT (channel_id) DO UPDATE SET followers = c.followers + excluded.followers;
    RETURN NULL;
END
$$;
CREATE FUNCTION count_follows_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM channel_followers c WHERE c.channel_id IN (SELECT g.channel_id FROM gone g)
    ORDER BY c.channel_id FOR NO KEY UPDATE;
    UPDATE channel_followers c SET followers = c.followers - g.follows
    FROM (SELECT channel_id, count(*) AS follows FROM gone GROUP BY channel_id) g WHERE c.channel_id = g.channel_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow_made_is_counted AFTER INSERT ON follow REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT EXECUTE FUNCTION count_follows_made();
CREATE TRIGGER follow_gone_is_counted AFTER DELETE ON follow REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION count_follows_gone();

-- The triggers have locked the table for whoever would follow meanwhile.
INSERT INTO channel_followers (channel_id, followers) SELECT channel_id, count(*) FROM follow GROUP BY channel_id;

-- migrate:down
DROP TRIGGER follow_gone_is_counted ON follow;
DROP TRIGGER follow_made_is_counted ON follow;
DROP FUNCTION count_follows_gone();
DROP FUNCTION count_follows_made();
DROP TABLE channel_followers;
