-- migrate:up
-- status: 1 accepted, 2 refused (too few points), 3 refused (no such streamer), 4 refused (the channel is off air)
ALTER TABLE donation
    -- neither the room nor the streamer is told who it was
    ADD COLUMN anonymous boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT donation_status,
    ADD CONSTRAINT donation_status CHECK (status IN (1, 2, 3, 4));

DROP TRIGGER donation_is_immutable ON donation;
CREATE TRIGGER donation_is_immutable
    BEFORE UPDATE OF id, donor_id, streamer_id, broadcast_id, amount, idem_key, status, transfer_id, created_at, anonymous
    OR DELETE OR TRUNCATE ON donation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Why a donation went back. The transfer's `reverses` is what makes twice impossible.
CREATE TABLE refund (
    transfer_id bigint PRIMARY KEY,
    donation_id bigint NOT NULL UNIQUE,
    reason text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER refund_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON refund
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- As before, and: nothing is given to a channel that is off air, and a donation may be anonymous.
-- verdict: ok | replay | again (a second request of one donor in one batch: ask later) | key_conflict | no_wallet
--          | bad_amount | self | no_streamer | off_air | insufficient
-- repeated: the answer was given before. Points left are those after the donation, also in a replay.
DROP FUNCTION settle_donations(uuid[], bigint[], bigint[], bigint[], text[], bytea[]);
CREATE FUNCTION settle_donations(
    idem_keys uuid[], donors bigint[], streamers bigint[], amounts bigint[], messages text[], anonymities boolean[],
    alerts bytea[]
) RETURNS TABLE (ordinal integer, verdict text, repeated boolean, points_left bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- In its own statement, so that the next one has a fresh snapshot: what the holder before us committed is seen.
    PERFORM 1 FROM account
    WHERE id IN (SELECT unnest(donors) * 16 + 1 UNION SELECT unnest(streamers) * 16 + 2)
    ORDER BY id FOR NO KEY UPDATE;

    RETURN QUERY
    WITH request AS (
        SELECT r.ordinal::integer, r.idem_key, r.donor_id, r.streamer_id, r.amount, r.message, r.anonymous, r.payload,
               row_number() OVER (PARTITION BY r.donor_id ORDER BY r.ordinal) AS nth
        FROM unnest(idem_keys, donors, streamers, amounts, messages, anonymities, alerts)
             WITH ORDINALITY AS r (idem_key, donor_id, streamer_id, amount, message, anonymous, payload, ordinal)
    ), judged AS MATERIALIZED (
        SELECT q.ordinal, q.idem_key, q.donor_id, q.streamer_id, q.amount, q.message, q.anonymous, q.payload,
               w.id AS wallet, w.balance AS wallet_balance, w.version AS wallet_version,
               e.id AS earnings, e.balance AS earnings_balance, e.version AS earnings_version,
               b.id AS broadcast_id,
               t.debit_after AS earlier_points_left,
               d.id IS NOT NULL AS repeated,
               CASE
                   WHEN q.nth > 1 THEN 'again'
                   -- The key before all else: a retry when the wallet is empty or the stream over must hear what the
                   -- first try heard.
                   WHEN d.id IS NOT NULL AND (d.streamer_id, d.amount, d.message, d.anonymous)
                        IS DISTINCT FROM (q.streamer_id, q.amount, q.message, q.anonymous) THEN 'key_conflict'
                   WHEN d.status = 1 THEN 'replay'
                   WHEN d.status = 2 THEN 'insufficient'
                   WHEN d.status = 3 THEN 'no_streamer'
                   WHEN d.status = 4 THEN 'off_air'
                   WHEN w.id IS NULL THEN 'no_wallet'
                   WHEN q.amount NOT BETWEEN 1 AND 1000000 THEN 'bad_amount'
                   WHEN q.donor_id = q.streamer_id THEN 'self'
                   WHEN e.id IS NULL THEN 'no_streamer'
                   WHEN b.id IS NULL THEN 'off_air'
                   WHEN w.balance - w.min_balance < q.amount THEN 'insufficient'
                   ELSE 'ok'
               END AS verdict
        FROM request q
        LEFT JOIN donation d ON d.donor_id = q.donor_id AND d.idem_key = q.idem_key
        LEFT JOIN transfer t ON t.id = d.transfer_id
        LEFT JOIN account w ON w.id = q.donor_id * 16 + 1
        LEFT JOIN account e ON e.id = q.streamer_id * 16 + 2
        LEFT JOIN broadcast b ON b.channel_id = q.streamer_id AND b.ended_at IS NULL AND b.lease_until > now()
    ), numbered AS MATERIALIZED (
        -- Ids are drawn here, in order, instead of being asked back: joining what was inserted to what was judged
        -- would be a nested loop, and a batch of 512 would cost four times what it should.
        SELECT j.*, nextval('donation_id_seq') AS donation_id,
               CASE WHEN j.verdict = 'ok' THEN nextval('transfer_id_seq') END AS transfer_id,
               j.earnings_version + row_number() OVER line AS credit_version,
               j.earnings_balance + sum(j.amount) OVER line AS credit_after
        FROM (SELECT * FROM judged
              WHERE verdict IN ('ok', 'insufficient', 'no_streamer', 'off_air') AND NOT repeated
              ORDER BY ordinal) j
        WINDOW line AS (PARTITION BY j.earnings, j.verdict ORDER BY j.ordinal)
    ), moved AS (
        INSERT INTO transfer (id, debit_account, credit_account, amount, kind,
                              debit_version, credit_version, debit_after, credit_after)
        OVERRIDING SYSTEM VALUE
        SELECT transfer_id, wallet, earnings, amount, 1,
               wallet_version + 1, credit_version, wallet_balance - amount, credit_after
        FROM numbered WHERE verdict = 'ok' ORDER BY ordinal
    ), recorded AS (
        INSERT INTO donation (id, donor_id, streamer_id, broadcast_id, amount, message, anonymous, idem_key, status,
                              transfer_id)
        OVERRIDING SYSTEM VALUE
        SELECT donation_id, donor_id, streamer_id, broadcast_id, amount, message, anonymous, idem_key,
               CASE verdict WHEN 'ok' THEN 1 WHEN 'insufficient' THEN 2 WHEN 'no_streamer' THEN 3 ELSE 4 END,
               transfer_id
        FROM numbered ORDER BY ordinal
    ), outbox AS (
        INSERT INTO alert (donation_id, room, payload)
        SELECT donation_id, streamer_id, payload FROM numbered WHERE verdict = 'ok' ORDER BY ordinal
    ), net AS (
        SELECT wallet AS id, -amount AS points, 1 AS transfers FROM numbered WHERE verdict = 'ok'
        UNION ALL
        SELECT earnings, sum(amount)::bigint, count(*)::integer FROM numbered WHERE verdict = 'ok' GROUP BY earnings
    ), balanced AS (
        UPDATE account a SET balance = a.balance + n.points, version = a.version + n.transfers
        FROM net n WHERE a.id = n.id
    )
    SELECT j.ordinal, j.verdict, j.repeated,
           CASE j.verdict WHEN 'ok' THEN j.wallet_balance - j.amount WHEN 'replay' THEN j.earlier_points_left END
    FROM judged j;
END
$$;

-- Gives back what one transfer took, from the same pocket to the same pocket. A second time meets transfer_reversed_once.
CREATE FUNCTION reverse_transfer(original bigint, why smallint) RETURNS transfer LANGUAGE plpgsql AS $$
DECLARE
    earlier transfer;
    posted transfer;
BEGIN
    SELECT * INTO STRICT earlier FROM transfer t WHERE t.id = original;
    PERFORM 1 FROM account WHERE id IN (earlier.debit_account, earlier.credit_account) ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO transfer (debit_account, credit_account, amount, kind,
                          debit_version, credit_version, debit_after, credit_after, reverses)
    SELECT d.id, c.id, earlier.amount, why, d.version + 1, c.version + 1,
           d.balance - earlier.amount, c.balance + earlier.amount, earlier.id
    FROM account d, account c WHERE d.id = earlier.credit_account AND c.id = earlier.debit_account
    RETURNING * INTO STRICT posted;
    UPDATE account SET balance = posted.debit_after, version = posted.debit_version WHERE id = posted.debit_account;
    UPDATE account SET balance = posted.credit_after, version = posted.credit_version WHERE id = posted.credit_account;
    RETURN posted;
END
$$;

-- A channel gives a donation back, once. verdict: ok | replay | unknown | short (the earnings hold less by now)
CREATE FUNCTION refund_donation(gift bigint, channel bigint, why text)
RETURNS TABLE (verdict text, earnings_after bigint) LANGUAGE plpgsql AS $$
DECLARE
    given donation;
    earlier bigint;
    posted transfer;
BEGIN
    SELECT * INTO given FROM donation d WHERE d.id = gift AND d.streamer_id = channel AND d.status = 1;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'unknown'::text, NULL::bigint;
        RETURN;
    END IF;
    -- Two refunds of one donation stand in a row here; the second finds the first's transfer.
    PERFORM 1 FROM account WHERE id IN (given.donor_id * 16 + 1, channel * 16 + 2) ORDER BY id FOR NO KEY UPDATE;
    SELECT t.debit_after INTO earlier FROM transfer t WHERE t.reverses = given.transfer_id;
    IF FOUND THEN
        RETURN QUERY SELECT 'replay'::text, earlier;
        RETURN;
    END IF;
    IF (SELECT a.balance - a.min_balance < given.amount FROM account a WHERE a.id = channel * 16 + 2) THEN
        RETURN QUERY SELECT 'short'::text, NULL::bigint;
        RETURN;
    END IF;
    posted := reverse_transfer(given.transfer_id, 5::smallint);
    INSERT INTO refund (transfer_id, donation_id, reason) VALUES (posted.id, gift, why);
    RETURN QUERY SELECT 'ok'::text, posted.debit_after;
END
$$;

-- No rows: what went back went back rightly. Beside ledger_audit().
CREATE FUNCTION ledger_audit_refunds() RETURNS TABLE (rule text, subject text, detail text) LANGUAGE sql STABLE AS $$
    SELECT 'a reversal mirrors its original', format('transfer %s', t.id), format('reverses %s', t.reverses)
    FROM transfer t LEFT JOIN transfer o ON o.id = t.reverses
    WHERE t.reverses IS NOT NULL
          AND (o.id IS NULL OR o.id > t.id OR (o.debit_account, o.credit_account, o.amount)
               IS DISTINCT FROM (t.credit_account, t.debit_account, t.amount))
    UNION ALL
    SELECT 'a refund transfer reverses a donation and has its refund', format('transfer %s', t.id),
           format('reverses %s', t.reverses)
    FROM transfer t
    LEFT JOIN refund r ON r.transfer_id = t.id
    LEFT JOIN donation d ON d.id = r.donation_id AND d.status = 1 AND d.transfer_id = t.reverses
    WHERE t.kind = 5 AND d.id IS NULL
    UNION ALL
    SELECT 'a refund has its transfer', format('donation %s', r.donation_id), format('transfer %s', r.transfer_id)
    FROM refund r LEFT JOIN transfer t ON t.id = r.transfer_id AND t.kind = 5 WHERE t.id IS NULL
$$;

-- migrate:down
DROP FUNCTION ledger_audit_refunds();
DROP FUNCTION refund_donation(bigint, bigint, text);
DROP FUNCTION reverse_transfer(bigint, smallint);
DROP TABLE refund;
DROP FUNCTION settle_donations(uuid[], bigint[], bigint[], bigint[], text[], boolean[], bytea[]);
-- NOT VALID: what was refused off air stays on record.
ALTER TABLE donation
    DROP CONSTRAINT donation_status,
    ADD CONSTRAINT donation_status CHECK (status IN (1, 2, 3)) NOT VALID;
DROP TRIGGER donation_is_immutable ON donation;
ALTER TABLE donation DROP COLUMN anonymous;
CREATE TRIGGER donation_is_immutable
    BEFORE UPDATE OF id, donor_id, streamer_id, broadcast_id, amount, idem_key, status, transfer_id, created_at
    OR DELETE OR TRUNCATE ON donation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE FUNCTION settle_donations(
    idem_keys uuid[], donors bigint[], streamers bigint[], amounts bigint[], messages text[], alerts bytea[]
) RETURNS TABLE (ordinal integer, verdict text, repeated boolean, points_left bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- In its own statement, so that the next one has a fresh snapshot: what the holder before us committed is seen.
    PERFORM 1 FROM account
    WHERE id IN (SELECT unnest(donors) * 16 + 1 UNION SELECT unnest(streamers) * 16 + 2)
    ORDER BY id FOR NO KEY UPDATE;

    RETURN QUERY
    WITH request AS (
        SELECT r.ordinal::integer, r.idem_key, r.donor_id, r.streamer_id, r.amount, r.message, r.payload,
               row_number() OVER (PARTITION BY r.donor_id ORDER BY r.ordinal) AS nth
        FROM unnest(idem_keys, donors, streamers, amounts, messages, alerts)
             WITH ORDINALITY AS r (idem_key, donor_id, streamer_id, amount, message, payload, ordinal)
    ), judged AS MATERIALIZED (
        SELECT q.ordinal, q.idem_key, q.donor_id, q.streamer_id, q.amount, q.message, q.payload,
               w.id AS wallet, w.balance AS wallet_balance, w.version AS wallet_version,
               e.id AS earnings, e.balance AS earnings_balance, e.version AS earnings_version,
               t.debit_after AS earlier_points_left,
               d.id IS NOT NULL AS repeated,
               CASE
                   WHEN q.nth > 1 THEN 'again'
                   -- The key before the balance: a retry after the wallet is empty must hear what the first try heard.
                   WHEN d.id IS NOT NULL AND (d.streamer_id, d.amount, d.message)
                        IS DISTINCT FROM (q.streamer_id, q.amount, q.message) THEN 'key_conflict'
                   WHEN d.status = 1 THEN 'replay'
                   WHEN d.status = 2 THEN 'insufficient'
                   WHEN d.status = 3 THEN 'no_streamer'
                   WHEN w.id IS NULL THEN 'no_wallet'
                   WHEN q.amount NOT BETWEEN 1 AND 1000000 THEN 'bad_amount'
                   WHEN q.donor_id = q.streamer_id THEN 'self'
                   WHEN e.id IS NULL THEN 'no_streamer'
                   WHEN w.balance - w.min_balance < q.amount THEN 'insufficient'
                   ELSE 'ok'
               END AS verdict
        FROM request q
        LEFT JOIN donation d ON d.donor_id = q.donor_id AND d.idem_key = q.idem_key
        LEFT JOIN transfer t ON t.id = d.transfer_id
        LEFT JOIN account w ON w.id = q.donor_id * 16 + 1
        LEFT JOIN account e ON e.id = q.streamer_id * 16 + 2
    ), numbered AS MATERIALIZED (
        -- Ids are drawn here, in order, instead of being asked back: joining what was inserted to what was judged
        -- would be a nested loop, and a batch of 512 would cost four times what it should.
        SELECT j.*, nextval('donation_id_seq') AS donation_id,
               CASE WHEN j.verdict = 'ok' THEN nextval('transfer_id_seq') END AS transfer_id,
               j.earnings_version + row_number() OVER line AS credit_version,
               j.earnings_balance + sum(j.amount) OVER line AS credit_after
        FROM (SELECT * FROM judged WHERE verdict IN ('ok', 'insufficient', 'no_streamer') AND NOT repeated
              ORDER BY ordinal) j
        WINDOW line AS (PARTITION BY j.earnings, j.verdict ORDER BY j.ordinal)
    ), moved AS (
        INSERT INTO transfer (id, debit_account, credit_account, amount, kind,
                              debit_version, credit_version, debit_after, credit_after)
        OVERRIDING SYSTEM VALUE
        SELECT transfer_id, wallet, earnings, amount, 1,
               wallet_version + 1, credit_version, wallet_balance - amount, credit_after
        FROM numbered WHERE verdict = 'ok' ORDER BY ordinal
    ), recorded AS (
        INSERT INTO donation (id, donor_id, streamer_id, broadcast_id, amount, message, idem_key, status, transfer_id)
        OVERRIDING SYSTEM VALUE
        SELECT n.donation_id, n.donor_id, n.streamer_id, b.id, n.amount, n.message, n.idem_key,
               CASE n.verdict WHEN 'ok' THEN 1 WHEN 'insufficient' THEN 2 ELSE 3 END, n.transfer_id
        FROM numbered n
        LEFT JOIN broadcast b ON b.channel_id = n.streamer_id AND b.ended_at IS NULL AND b.lease_until > now()
        ORDER BY n.ordinal
    ), outbox AS (
        INSERT INTO alert (donation_id, room, payload)
        SELECT donation_id, streamer_id, payload FROM numbered WHERE verdict = 'ok' ORDER BY ordinal
    ), net AS (
        SELECT wallet AS id, -amount AS points, 1 AS transfers FROM numbered WHERE verdict = 'ok'
        UNION ALL
        SELECT earnings, sum(amount)::bigint, count(*)::integer FROM numbered WHERE verdict = 'ok' GROUP BY earnings
    ), balanced AS (
        UPDATE account a SET balance = a.balance + n.points, version = a.version + n.transfers
        FROM net n WHERE a.id = n.id
    )
    SELECT j.ordinal, j.verdict, j.repeated,
           CASE j.verdict WHEN 'ok' THEN j.wallet_balance - j.amount WHEN 'replay' THEN j.earlier_points_left END
    FROM judged j;
END
$$;
