-- migrate:up
-- What a channel asks of those who speak in it. No row means: nothing.
CREATE TABLE channel_rules (
    channel_id bigint PRIMARY KEY REFERENCES channel (id),
    slow_seconds integer NOT NULL DEFAULT 0,
    -- NULL: everybody; 0: whoever follows; more: whoever has followed for so long
    followers_only_minutes integer,
    members_only boolean NOT NULL DEFAULT false,
    blocked_links boolean NOT NULL DEFAULT false,
    blocked_words text[] NOT NULL DEFAULT '{}',
    pinned text NOT NULL DEFAULT '',
    CONSTRAINT channel_rules_slow CHECK (slow_seconds >= 0),
    CONSTRAINT channel_rules_followers CHECK (followers_only_minutes >= 0)
);

CREATE TABLE channel_moderator (
    channel_id bigint NOT NULL REFERENCES channel (id),
    member_id bigint NOT NULL REFERENCES member (id),
    granted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel_id, member_id),
    CONSTRAINT channel_moderator_somebody_else CHECK (channel_id <> member_id)
);

-- What stands against a member in one channel. A mute ends by its time, a ban when it is lifted.
CREATE TABLE channel_sanction (
    channel_id bigint NOT NULL REFERENCES channel (id),
    member_id bigint NOT NULL REFERENCES member (id),
    muted_until timestamptz,
    banned_at timestamptz,
    PRIMARY KEY (channel_id, member_id),
    CONSTRAINT channel_sanction_somebody_else CHECK (channel_id <> member_id)
);

-- The audit trail: who did what to whom, and why. Written in the transaction that does it.
CREATE TABLE moderation_act (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel_id bigint NOT NULL REFERENCES channel (id),
    actor_id bigint NOT NULL REFERENCES member (id),
    action text NOT NULL,
    target_id bigint REFERENCES member (id),
    -- until when a mute lasts, how many seconds of slow mode
    until timestamptz,
    seconds integer,
    -- the numbers of removed lines, and what they said
    seqs bigint[] NOT NULL DEFAULT '{}',
    words text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX moderation_act_of_channel ON moderation_act (channel_id, id);
CREATE INDEX moderation_act_of_target ON moderation_act (target_id, id);

CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: what was done stays written', TG_OP, TG_TABLE_NAME USING ERRCODE = 'P0001';
END
$$;
-- What somebody said may be blanked when they leave; who did what to whom may not change.
CREATE TRIGGER moderation_act_is_immutable
    BEFORE UPDATE OF id, channel_id, actor_id, action, target_id, until, seconds, seqs, reason, created_at
    OR DELETE OR TRUNCATE ON moderation_act
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- migrate:down
DROP TABLE moderation_act;
DROP FUNCTION refuse_rewriting();
DROP TABLE channel_sanction;
DROP TABLE channel_moderator;
DROP TABLE channel_rules;
