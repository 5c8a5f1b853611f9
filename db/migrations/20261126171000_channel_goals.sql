-- migrate:up
-- What a streamer gathers points for. Counted from the donation after `since_donation` on: an index range, however old
-- the channel is.
CREATE TABLE channel_goal (
    channel_id bigint PRIMARY KEY REFERENCES channel (id),
    title text NOT NULL,
    points bigint NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    since_donation bigint NOT NULL,
    CONSTRAINT channel_goal_points CHECK (points > 0)
);

-- migrate:down
DROP TABLE channel_goal;
