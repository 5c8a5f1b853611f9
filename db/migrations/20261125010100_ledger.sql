-- migrate:up
-- One row per pocket. The id is arithmetic, so no lookup is needed and every transaction locks in one global order.
-- kinds: 1 wallet, 2 earnings, 3 payout hold | the house's own (owner 0): 9 issued points, 10 paid out, 11 fees
CREATE TABLE account (
    id bigint PRIMARY KEY,
    owner_id bigint NOT NULL,
    kind smallint NOT NULL,
    balance bigint NOT NULL DEFAULT 0,
    -- how many transfers have touched this account
    version bigint NOT NULL DEFAULT 0,
    min_balance bigint DEFAULT 0,
    CONSTRAINT account_id_is_arithmetic CHECK (id = owner_id * 16 + kind),
    CONSTRAINT account_kind CHECK (kind IN (1, 2, 3) AND owner_id > 0 OR kind IN (9, 10, 11) AND owner_id = 0),
    -- NULL means it may go below zero: only the house's own accounts, whose debt is the members' points
    CONSTRAINT account_floor CHECK (min_balance IS NOT NULL OR kind >= 9),
    CONSTRAINT account_not_below_floor CHECK (balance >= min_balance)
) WITH (fillfactor = 70);

-- Double entry in one row: what leaves one account enters another, so an unbalanced entry cannot be written.
-- kinds: 1 donation, 2 grant
CREATE TABLE transfer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    debit_account bigint NOT NULL,
    credit_account bigint NOT NULL,
    amount bigint NOT NULL,
    kind smallint NOT NULL,
    debit_version bigint NOT NULL,
    credit_version bigint NOT NULL,
    debit_after bigint NOT NULL,
    credit_after bigint NOT NULL,
    reverses bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT transfer_amount CHECK (amount > 0 AND amount <= 1000000000000),
    CONSTRAINT transfer_two_accounts CHECK (debit_account <> credit_account),
    -- Statement order, no gaps, and the second wall behind the row locks: a lost update meets these.
    CONSTRAINT transfer_debit_version UNIQUE (debit_account, debit_version),
    CONSTRAINT transfer_credit_version UNIQUE (credit_account, credit_version),
    CONSTRAINT transfer_reversed_once UNIQUE (reverses)
);

-- Refusals are rows too: an id has one answer for ever, also when the wallet is filled afterwards.
-- status: 1 accepted, 2 refused (too few points), 3 refused (no such streamer)
CREATE TABLE donation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    donor_id bigint NOT NULL,
    streamer_id bigint NOT NULL,
    broadcast_id bigint,
    amount bigint NOT NULL,
    message text NOT NULL,
    idem_key uuid NOT NULL,
    status smallint NOT NULL,
    transfer_id bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT donation_status CHECK (status IN (1, 2, 3)),
    CONSTRAINT donation_moved_if_accepted CHECK ((status = 1) = (transfer_id IS NOT NULL)),
    CONSTRAINT donation_once UNIQUE (donor_id, idem_key),
    CONSTRAINT donation_transfer_once UNIQUE (transfer_id)
);
CREATE INDEX donation_of_streamer ON donation (streamer_id, id);

-- The outbox: written with the money in one commit, deleted when the room has it.
CREATE TABLE alert (
    donation_id bigint PRIMARY KEY,
    room bigint NOT NULL,
    payload bytea NOT NULL
);

-- Why an operator gave points, and the id that makes giving them twice impossible.
CREATE TABLE point_grant (
    id uuid PRIMARY KEY,
    member_id bigint NOT NULL,
    points bigint NOT NULL,
    reason text NOT NULL,
    transfer_id bigint NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: a correction is another transfer', TG_OP, TG_TABLE_NAME USING ERRCODE = 'P0001';
END
$$;
CREATE TRIGGER transfer_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- What a donor wrote may be blanked when the member leaves; who gave what to whom may not change.
CREATE TRIGGER donation_is_immutable
    BEFORE UPDATE OF id, donor_id, streamer_id, broadcast_id, amount, idem_key, status, transfer_id, created_at
    OR DELETE OR TRUNCATE ON donation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

INSERT INTO account (id, owner_id, kind, min_balance) VALUES (9, 0, 9, NULL), (10, 0, 10, NULL), (11, 0, 11, NULL);

-- Wallet and earnings are two pockets: donors are only debited, streamers only credited, so locks never cross.
CREATE FUNCTION open_accounts(member_id bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO account (id, owner_id, kind)
    VALUES (member_id * 16 + 1, member_id, 1), (member_id * 16 + 2, member_id, 2)
$$;

-- migrate:down
DROP FUNCTION open_accounts(bigint);
DROP TABLE point_grant;
DROP TABLE alert;
DROP TABLE donation;
DROP TABLE transfer;
DROP TABLE account;
DROP FUNCTION refuse_change();
