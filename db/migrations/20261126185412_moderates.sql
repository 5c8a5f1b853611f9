-- migrate:up
-- Where somebody moderates: asked by every page that they open, and when they leave.
CREATE INDEX channel_moderator_of_member ON channel_moderator (member_id, granted_at);

-- migrate:down
DROP INDEX channel_moderator_of_member;
