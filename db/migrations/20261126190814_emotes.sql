-- migrate:up
-- The small pictures that stand for a `:code:` in a channel's chat. The same picture has the same hash wherever it is.
CREATE TABLE emote (
    channel_id bigint NOT NULL REFERENCES channel (id),
    code text NOT NULL,
    hash bytea NOT NULL,
    media_type text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    data bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel_id, code),
    CONSTRAINT emote_hash CHECK (length(hash) = 32),
    CONSTRAINT emote_size CHECK (width > 0 AND height > 0)
);
CREATE INDEX emote_of_hash ON emote (hash);

-- migrate:down
DROP TABLE emote;
