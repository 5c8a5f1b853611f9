-- migrate:up
-- Who wants to hear of a channel, and since when: some rooms let only those speak who have followed for a while.
CREATE TABLE follow (
    member_id bigint NOT NULL REFERENCES member (id),
    channel_id bigint NOT NULL REFERENCES channel (id),
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (member_id, channel_id),
    CONSTRAINT follow_somebody_else CHECK (member_id <> channel_id)
);
CREATE INDEX follow_of_channel ON follow (channel_id);

-- migrate:down
DROP TABLE follow;
