-- migrate:up
-- Every worker asks every other second who has just been banned or has left; the answer is nearly always nobody.
CREATE INDEX member_banned ON member (banned_at) WHERE banned_at IS NOT NULL;
CREATE INDEX member_erased ON member (erased_at) WHERE erased_at IS NOT NULL;

-- migrate:down
DROP INDEX member_erased;
DROP INDEX member_banned;
