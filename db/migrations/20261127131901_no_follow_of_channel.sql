-- migrate:up transaction:false
-- The one with `since` does what it did.
DROP INDEX CONCURRENTLY follow_of_channel;

-- migrate:down transaction:false
CREATE INDEX CONCURRENTLY follow_of_channel ON follow (channel_id);
