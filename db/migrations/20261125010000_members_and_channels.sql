-- migrate:up
CREATE TABLE member (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login_id text NOT NULL,
    nickname text NOT NULL,
    -- casefolded NFKC: two names that look alike to a reader are one name
    nickname_key text NOT NULL,
    password_hash text NOT NULL,
    roles text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    banned_at timestamptz,
    erased_at timestamptz,
    -- Concurrent sign-ups made two rows of one name in the original, and that account could never log in again.
    CONSTRAINT member_login_id_unique UNIQUE (login_id),
    CONSTRAINT member_nickname_unique UNIQUE (nickname_key)
);

-- A channel is its owner's: one id for both, no lookup between them.
CREATE TABLE channel (
    id bigint PRIMARY KEY REFERENCES member (id),
    title text NOT NULL DEFAULT '',
    category text NOT NULL DEFAULT '',
    tags text[] NOT NULL DEFAULT '{}',
    -- sha256 of the key; the key itself is shown once and kept nowhere
    stream_key_hash bytea NOT NULL,
    CONSTRAINT channel_stream_key_unique UNIQUE (stream_key_hash),
    CONSTRAINT channel_stream_key_length CHECK (octet_length(stream_key_hash) = 32)
);

-- On air is derived, never stored: not ended, and its holder's lease still runs. A process that dies
-- takes its channels off the list by doing nothing.
CREATE TABLE broadcast (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel_id bigint NOT NULL REFERENCES channel (id),
    started_at timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE UNIQUE INDEX broadcast_one_at_a_time ON broadcast (channel_id) WHERE ended_at IS NULL;
CREATE INDEX broadcast_of_channel ON broadcast (channel_id, id);

-- migrate:down
DROP TABLE broadcast;
DROP TABLE channel;
DROP TABLE member;
