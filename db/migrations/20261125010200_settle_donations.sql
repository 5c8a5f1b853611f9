-- migrate:up
-- Judges every request of a batch by itself and moves the money of the good ones, in one transaction.
-- verdict: ok | replay | again (a second request of one donor in one batch: ask later) | key_conflict | no_wallet
--          | bad_amount | self | no_streamer | insufficient
-- repeated: the answer was given before. Points left are those after the donation, also in a replay.
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

-- One transfer between two accounts, for everything that is not a donation. The caller's transaction decides.
CREATE FUNCTION post_transfer(debit bigint, credit bigint, points bigint, why smallint)
RETURNS transfer LANGUAGE plpgsql AS $$
DECLARE
    posted transfer;
BEGIN
    PERFORM 1 FROM account WHERE id IN (debit, credit) ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO transfer (debit_account, credit_account, amount, kind,
                          debit_version, credit_version, debit_after, credit_after)
    SELECT d.id, c.id, points, why, d.version + 1, c.version + 1, d.balance - points, c.balance + points
    FROM account d, account c WHERE d.id = debit AND c.id = credit
    RETURNING * INTO STRICT posted;
    UPDATE account SET balance = posted.debit_after, version = posted.debit_version WHERE id = debit;
    UPDATE account SET balance = posted.credit_after, version = posted.credit_version WHERE id = credit;
    RETURN posted;
END
$$;

-- An operator gives points, once per id. verdict: ok | replay | key_conflict | no_wallet
CREATE FUNCTION grant_points(grant_id uuid, member bigint, amount bigint, why text)
RETURNS TABLE (verdict text, points_after bigint) LANGUAGE plpgsql AS $$
DECLARE
    earlier point_grant;
    posted transfer;
BEGIN
    -- The wallet's lock puts two grants of one id to one member in a row; two members meet at the primary key.
    PERFORM 1 FROM account WHERE id IN (9, member * 16 + 1) ORDER BY id FOR NO KEY UPDATE;
    SELECT * INTO earlier FROM point_grant g WHERE g.id = grant_id;
    IF FOUND THEN
        IF (earlier.member_id, earlier.points, earlier.reason) IS DISTINCT FROM (member, amount, why) THEN
            RETURN QUERY SELECT 'key_conflict'::text, NULL::bigint;
        ELSE
            RETURN QUERY SELECT 'replay'::text, t.credit_after FROM transfer t WHERE t.id = earlier.transfer_id;
        END IF;
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM account a WHERE a.id = member * 16 + 1) THEN
        RETURN QUERY SELECT 'no_wallet'::text, NULL::bigint;
        RETURN;
    END IF;
    posted := post_transfer(9, member * 16 + 1, amount, 2::smallint);
    INSERT INTO point_grant (id, member_id, points, reason, transfer_id) VALUES (grant_id, member, amount, why, posted.id);
    RETURN QUERY SELECT 'ok'::text, posted.credit_after;
END
$$;

-- migrate:down
DROP FUNCTION grant_points(uuid, bigint, bigint, text);
DROP FUNCTION post_transfer(bigint, bigint, bigint, smallint);
DROP FUNCTION settle_donations(uuid[], bigint[], bigint[], bigint[], text[], bytea[]);
