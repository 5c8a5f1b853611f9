-- migrate:up
-- A seal is a digest over a block of transfers and the seal before it: who changes, removes or slips in a past row must
-- make every later seal anew, and the heads that were written down elsewhere tell.
CREATE TABLE seal (
    number bigint PRIMARY KEY,
    -- of the block's last transfer; the block begins after the last of the seal before
    last_id bigint NOT NULL UNIQUE,
    transfers integer NOT NULL,
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT seal_covers_something CHECK (transfers > 0),
    CONSTRAINT seal_digest_length CHECK (octet_length(digest) = 32)
);
CREATE TRIGGER seal_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON seal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER point_grant_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON point_grant
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What is sealed of a transfer, and its line in an export: db/seal.py reads it. Numbers only: no word of a member's.
CREATE FUNCTION transfer_line(t transfer) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(',', t.id, t.debit_account, t.credit_account, t.amount, t.kind, t.debit_version, t.credit_version,
                     t.debit_after, t.credit_after, coalesce(t.reverses::text, ''),
                     (extract(epoch FROM t.created_at) * 1000000)::bigint) || E'\n'
$$;

-- Seals the next block of at most `block` transfers with an id up to `horizon`; returns how many it has sealed. The
-- caller knows that no transaction is under way any more that has drawn an id up to there.
CREATE FUNCTION seal_transfers(horizon bigint, block integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    before seal;
    sealed integer;
BEGIN
    PERFORM pg_advisory_xact_lock(1214598234);  -- one sealer at a time; the next one goes on behind this one's seal
    SELECT * INTO before FROM seal ORDER BY number DESC LIMIT 1;
    INSERT INTO seal (number, last_id, transfers, digest)
    SELECT coalesce(before.number, 0) + 1, max(b.id), count(*),
           sha256(coalesce(before.digest, decode(repeat('00', 32), 'hex')) || string_agg(b.line, '' ORDER BY b.id)::bytea)
    FROM (SELECT t.id, transfer_line(t) AS line FROM transfer t
          WHERE t.id > coalesce(before.last_id, 0) AND t.id <= horizon ORDER BY t.id LIMIT block) b
    HAVING count(*) > 0
    RETURNING transfers INTO sealed;
    RETURN coalesce(sealed, 0);
END
$$;

-- No rows: every seal still fits its transfers. Beside ledger_audit().
CREATE FUNCTION ledger_audit_seals() RETURNS TABLE (rule text, subject text, detail text) LANGUAGE sql STABLE AS $$
    WITH chained AS (
        SELECT s.*, row_number() OVER line AS due_number, lag(s.last_id, 1, 0::bigint) OVER line AS after_id,
               lag(s.digest, 1, decode(repeat('00', 32), 'hex')) OVER line AS before
        FROM seal s WINDOW line AS (ORDER BY s.number)
    )
    SELECT 'a seal fits its transfers', format('seal %s', c.number),
           format('transfers %s to %s: %s, sealed were %s%s', c.after_id + 1, c.last_id, count(t.id), c.transfers,
                  CASE WHEN c.number = c.due_number THEN '' ELSE format(', number %s is due', c.due_number) END)
    FROM chained c LEFT JOIN transfer t ON t.id > c.after_id AND t.id <= c.last_id
    GROUP BY c.number, c.due_number, c.after_id, c.last_id, c.transfers, c.digest, c.before
    HAVING c.number <> c.due_number OR count(t.id) <> c.transfers
           OR c.digest IS DISTINCT FROM sha256(c.before || string_agg(transfer_line(t), '' ORDER BY t.id)::bytea)
$$;

-- migrate:down
DROP FUNCTION ledger_audit_seals();
DROP FUNCTION seal_transfers(bigint, integer);
DROP FUNCTION transfer_line(transfer);
DROP TRIGGER point_grant_is_immutable ON point_grant;
DROP TABLE seal;
