-- migrate:up transaction:false
-- Who has come during a broadcast, without a look at all who follow. Built beside whoever follows meanwhile: an index of
-- many follows takes longer than a statement of the house waits for a lock. If it is cut short, drop what is left of it
-- (DROP INDEX follow_of_channel_since) and migrate again.
CREATE INDEX CONCURRENTLY follow_of_channel_since ON follow (channel_id, since);

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY follow_of_channel_since;
