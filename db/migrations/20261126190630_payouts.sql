-- migrate:up
-- What a streamer earned leaves the house in two phases: first it is held, where no refund reaches it; then it is paid,
-- or goes back to the earnings. The id is made by whoever asks, so that asking twice is once.
CREATE TABLE payout (
    id uuid PRIMARY KEY,
    member_id bigint NOT NULL REFERENCES member (id),
    points bigint NOT NULL,
    note text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payout_points CHECK (points > 0)
);
CREATE INDEX payout_of_member ON payout (member_id, created_at);
CREATE TRIGGER payout_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON payout
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What has happened to a payout: held, then paid or returned, each with its transfer. kinds of transfer: 6, 7, 8
CREATE TABLE payout_step (
    transfer_id bigint PRIMARY KEY,
    payout_id uuid NOT NULL REFERENCES payout (id),
    step text NOT NULL,
    note text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payout_step_known CHECK (step IN ('held', 'paid', 'returned'))
);
CREATE UNIQUE INDEX payout_held_once ON payout_step (payout_id) WHERE step = 'held';
CREATE UNIQUE INDEX payout_ended_once ON payout_step (payout_id) WHERE step <> 'held';
CREATE TRIGGER payout_step_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON payout_step
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Holds earnings for a payout, once per id. verdict: ok | replay | key_conflict | no_member | short
CREATE FUNCTION begin_payout(payout_id uuid, member bigint, amount bigint, why text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    stays boolean;
    earlier payout;
    posted transfer;
BEGIN
    -- The member before the accounts, as whoever leaves does; so nobody leaves meanwhile.
    SELECT m.erased_at IS NULL INTO stays FROM member m WHERE m.id = member FOR SHARE;
    IF stays THEN
        INSERT INTO account (id, owner_id, kind) VALUES (member * 16 + 3, member, 3) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM account WHERE id IN (member * 16 + 2, member * 16 + 3) ORDER BY id FOR NO KEY UPDATE;
    END IF;
    -- The id before the balance: a retry when the earnings are empty must hear what the first try heard.
    SELECT * INTO earlier FROM payout p WHERE p.id = payout_id;
    IF FOUND THEN
        RETURN CASE WHEN (earlier.member_id, earlier.points) = (member, amount) THEN 'replay' ELSE 'key_conflict' END;
    END IF;
    IF stays IS NOT TRUE THEN
        RETURN 'no_member';
    END IF;
    IF (SELECT a.balance - a.min_balance < amount FROM account a WHERE a.id = member * 16 + 2) THEN
        RETURN 'short';
    END IF;
    INSERT INTO payout (id, member_id, points, note) VALUES (payout_id, member, amount, why) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN 'key_conflict';  -- another member's payout took the id at this moment
    END IF;
    posted := post_transfer(member * 16 + 2, member * 16 + 3, amount, 6::smallint);
    INSERT INTO payout_step (transfer_id, payout_id, step, note) VALUES (posted.id, payout_id, 'held', why);
    RETURN 'ok';
END
$$;

-- Ends a payout, once: what is held is paid out, or goes back. verdict: ok | replay | ended (the other way) | unknown
CREATE FUNCTION end_payout(payout_id uuid, is_paid boolean, why text) RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    wanted text := CASE WHEN is_paid THEN 'paid' ELSE 'returned' END;
    asked payout;
    hold bigint;
    earlier text;
    posted transfer;
BEGIN
    SELECT p.* INTO asked FROM payout p WHERE p.id = end_payout.payout_id;
    IF NOT FOUND THEN
        RETURN 'unknown';
    END IF;
    hold := asked.member_id * 16 + 3;
    -- Two who end one payout stand in a row here; the second finds the first's step.
    PERFORM 1 FROM account a WHERE a.id IN (hold, CASE WHEN is_paid THEN 10 ELSE hold - 1 END)
    ORDER BY a.id FOR NO KEY UPDATE;
    SELECT s.step INTO earlier FROM payout_step s WHERE s.payout_id = asked.id AND s.step <> 'held';
    IF FOUND THEN
        RETURN CASE WHEN earlier = wanted THEN 'replay' ELSE 'ended' END;
    END IF;
    IF is_paid THEN
        posted := post_transfer(hold, 10, asked.points, 7::smallint);
    ELSE
        posted := reverse_transfer(
            (SELECT s.transfer_id FROM payout_step s WHERE s.payout_id = asked.id AND s.step = 'held'), 8::smallint);
    END IF;
    INSERT INTO payout_step (transfer_id, payout_id, step, note) VALUES (posted.id, asked.id, wanted, why);
    RETURN 'ok';
END
$$;

-- No rows: every payout has moved exactly its points, by the steps that are on record, and what is held is what is open.
CREATE FUNCTION ledger_audit_payouts() RETURNS TABLE (rule text, subject text, detail text) LANGUAGE sql STABLE AS $$
    SELECT 'a payout transfer is a step of a payout and its points', format('transfer %s', t.id),
           format('kind %s, %s points from %s to %s, payout %s', t.kind, t.amount, t.debit_account, t.credit_account,
                  coalesce(p.id::text, 'missing'))
    FROM transfer t
    LEFT JOIN payout_step s ON s.transfer_id = t.id
    LEFT JOIN payout p ON p.id = s.payout_id
    LEFT JOIN payout_step h ON h.payout_id = p.id AND h.step = 'held'
    WHERE t.kind IN (6, 7, 8) AND (p.id IS NULL OR
          (s.step, t.amount, t.debit_account, t.credit_account, t.reverses) IS DISTINCT FROM
          (CASE t.kind WHEN 6 THEN 'held' WHEN 7 THEN 'paid' ELSE 'returned' END, p.points,
           p.member_id * 16 + CASE t.kind WHEN 6 THEN 2 ELSE 3 END,
           CASE t.kind WHEN 6 THEN p.member_id * 16 + 3 WHEN 7 THEN 10 ELSE p.member_id * 16 + 2 END,
           CASE t.kind WHEN 8 THEN h.transfer_id END))
    UNION ALL
    SELECT 'a step of a payout has its transfer', format('payout %s', s.payout_id), format('transfer %s', s.transfer_id)
    FROM payout_step s LEFT JOIN transfer t ON t.id = s.transfer_id AND t.kind IN (6, 7, 8) WHERE t.id IS NULL
    UNION ALL
    SELECT 'a payout was held', format('payout %s', p.id), format('%s points of member %s', p.points, p.member_id)
    FROM payout p LEFT JOIN payout_step s ON s.payout_id = p.id AND s.step = 'held' WHERE s.payout_id IS NULL
    UNION ALL
    SELECT 'what is held is what open payouts are to pay', format('account %s', a.id),
           format('%s held, %s open', a.balance, coalesce(sum(p.points), 0))
    FROM account a
    LEFT JOIN payout p ON p.member_id = a.owner_id
         AND NOT EXISTS (SELECT 1 FROM payout_step s WHERE s.payout_id = p.id AND s.step <> 'held')
    WHERE a.kind = 3 GROUP BY a.id, a.balance HAVING a.balance <> coalesce(sum(p.points), 0)
$$;

-- migrate:down
DROP FUNCTION ledger_audit_payouts();
DROP FUNCTION end_payout(uuid, boolean, text);
DROP FUNCTION begin_payout(uuid, bigint, bigint, text);
DROP TABLE payout_step;
DROP TABLE payout;
