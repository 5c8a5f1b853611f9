-- migrate:up
-- As before, and: every look-up is one by a unique index also where the plan was made when PostgreSQL knew the tables to
-- be empty. Such a plan read all donations there were for each batch, until somebody counted them.
CREATE OR REPLACE FUNCTION settle_donations(
    idem_keys uuid[], donors bigint[], streamers bigint[], amounts bigint[], messages text[], anonymities boolean[],
    alerts bytea[]
) RETURNS TABLE (ordinal integer, verdict text, repeated boolean, points_left bigint) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
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
        -- OFFSET 0: each is looked up by itself, whatever a planner that knows empty tables thinks is cheaper.
        LEFT JOIN LATERAL (SELECT * FROM donation d WHERE d.donor_id = q.donor_id AND d.idem_key = q.idem_key
                           OFFSET 0) d ON true
        LEFT JOIN LATERAL (SELECT * FROM transfer t WHERE t.id = d.transfer_id OFFSET 0) t ON true
        LEFT JOIN LATERAL (SELECT * FROM account a WHERE a.id = q.donor_id * 16 + 1 OFFSET 0) w ON true
        LEFT JOIN LATERAL (SELECT * FROM account a WHERE a.id = q.streamer_id * 16 + 2 OFFSET 0) e ON true
        LEFT JOIN LATERAL (SELECT * FROM broadcast b WHERE b.channel_id = q.streamer_id AND b.ended_at IS NULL
                                 AND b.lease_until > now() OFFSET 0) b ON true
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

-- Of a row that reverses nothing there is nothing to look up: one index less for every donation.
ALTER TABLE transfer DROP CONSTRAINT transfer_reversed_once;
CREATE UNIQUE INDEX transfer_reversed_once ON transfer (reverses) WHERE reverses IS NOT NULL;

-- migrate:down
DROP INDEX transfer_reversed_once;
ALTER TABLE transfer ADD CONSTRAINT transfer_reversed_once UNIQUE (reverses);
CREATE OR REPLACE FUNCTION settle_donations(
    idem_keys uuid[], donors bigint[], streamers bigint[], amounts bigint[], messages text[], anonymities boolean[],
    alerts bytea[]
) RETURNS TABLE (ordinal integer, verdict text, repeated boolean, points_left bigint) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
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
