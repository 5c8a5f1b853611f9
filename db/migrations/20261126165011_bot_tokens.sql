-- migrate:up
-- What a member's programs show at the chat's door: kept hashed, shown once, good until it is revoked.
CREATE TABLE bot_token (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    member_id bigint NOT NULL REFERENCES member (id),
    name text NOT NULL,
    -- sha256 of 256 random bits
    token_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT bot_token_unique UNIQUE (token_hash),
    CONSTRAINT bot_token_hash_length CHECK (octet_length(token_hash) = 32)
);
CREATE INDEX bot_token_of_member ON bot_token (member_id, id);
CREATE INDEX bot_token_revoked ON bot_token (revoked_at) WHERE revoked_at IS NOT NULL;

-- migrate:down
DROP TABLE bot_token;
