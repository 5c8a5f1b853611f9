-- migrate:up
-- No rows: the books balance. Each row names the rule that is broken, the account or row, and the figures.
CREATE FUNCTION ledger_audit() RETURNS TABLE (rule text, subject text, detail text) LANGUAGE sql STABLE AS $$
    WITH leg AS (
        SELECT t.id, t.debit_account AS account, -t.amount AS points, t.debit_version AS version, t.debit_after AS after
        FROM transfer t
        UNION ALL
        SELECT t.id, t.credit_account, t.amount, t.credit_version, t.credit_after FROM transfer t
    ), statement AS (
        SELECT l.id, l.account, l.version, l.after,
               row_number() OVER line AS due_version,
               sum(l.points) OVER line AS due_after
        FROM leg l WINDOW line AS (PARTITION BY l.account ORDER BY l.version, l.id)
    ), total AS (
        SELECT l.account, sum(l.points) AS points, count(*) AS transfers FROM leg l GROUP BY l.account
    )
    SELECT 'sum of balances is zero', 'all accounts', format('is %s', sum(balance))
    FROM account HAVING sum(balance) <> 0
    UNION ALL
    SELECT 'balance is the sum of its transfers', format('account %s', a.id),
           format('balance %s version %s, transfers give %s in %s',
                  a.balance, a.version, coalesce(t.points, 0), coalesce(t.transfers, 0))
    FROM account a LEFT JOIN total t ON t.account = a.id
    WHERE a.balance <> coalesce(t.points, 0) OR a.version <> coalesce(t.transfers, 0)
    UNION ALL
    SELECT 'a transfer joins accounts that exist', format('account %s', t.account), format('%s transfers', t.transfers)
    FROM total t LEFT JOIN account a ON a.id = t.account WHERE a.id IS NULL
    UNION ALL
    SELECT 'the statement has no gap', format('transfer %s', s.id),
           format('account %s has version %s where %s is due', s.account, s.version, s.due_version)
    FROM statement s WHERE s.version <> s.due_version
    UNION ALL
    SELECT 'the running balance is right', format('transfer %s', s.id),
           format('account %s has %s where %s is due', s.account, s.after, s.due_after)
    FROM statement s WHERE s.after <> s.due_after
    UNION ALL
    SELECT 'no running balance below the floor', format('transfer %s', s.id),
           format('account %s fell to %s, floor %s', s.account, s.after, a.min_balance)
    FROM statement s JOIN account a ON a.id = s.account WHERE s.after < a.min_balance
    UNION ALL
    SELECT 'no balance below the floor', format('account %s', a.id), format('%s, floor %s', a.balance, a.min_balance)
    FROM account a WHERE a.balance < a.min_balance OR a.min_balance IS NULL AND a.kind < 9
    UNION ALL
    -- Intents against effects, one to one: the sums above are blind to a donation that was applied twice.
    SELECT 'an accepted donation moved exactly its points', format('donation %s', d.id),
           format('%s from %s to %s, its transfer is %s', d.amount, d.donor_id, d.streamer_id,
                  CASE WHEN t.id IS NULL THEN 'missing'
                       ELSE format('%s of kind %s from account %s to %s', t.amount, t.kind, t.debit_account, t.credit_account)
                  END)
    FROM donation d LEFT JOIN transfer t ON t.id = d.transfer_id
    WHERE d.status = 1 AND (t.id IS NULL OR (t.kind, t.amount, t.debit_account, t.credit_account)
          IS DISTINCT FROM (1::smallint, d.amount, d.donor_id * 16 + 1, d.streamer_id * 16 + 2))
    UNION ALL
    SELECT 'a refused donation moved nothing', format('donation %s', d.id), format('has transfer %s', d.transfer_id)
    FROM donation d WHERE d.status <> 1 AND d.transfer_id IS NOT NULL
    UNION ALL
    SELECT 'a donation transfer has exactly one donation', format('transfer %s', t.id), format('has %s', count(d.id))
    FROM transfer t LEFT JOIN donation d ON d.transfer_id = t.id
    WHERE t.kind = 1 GROUP BY t.id HAVING count(d.id) <> 1
    UNION ALL
    SELECT 'an intent is recorded once', format('donor %s key %s', d.donor_id, d.idem_key), format('%s rows', count(*))
    FROM donation d GROUP BY d.donor_id, d.idem_key HAVING count(*) > 1
    UNION ALL
    SELECT 'a grant transfer has exactly one grant', format('transfer %s', t.id), format('has %s', count(g.id))
    FROM transfer t LEFT JOIN point_grant g ON g.transfer_id = t.id AND (g.points, g.member_id * 16 + 1)
         = (t.amount, t.credit_account) AND t.debit_account = 9
    WHERE t.kind = 2 GROUP BY t.id HAVING count(g.id) <> 1
    UNION ALL
    SELECT 'a grant has its transfer', format('grant %s', g.id), format('transfer %s', g.transfer_id)
    FROM point_grant g LEFT JOIN transfer t ON t.id = g.transfer_id AND t.kind = 2 WHERE t.id IS NULL
    UNION ALL
    SELECT 'an alert belongs to an accepted donation', format('alert %s', a.donation_id), format('room %s', a.room)
    FROM alert a LEFT JOIN donation d ON d.id = a.donation_id AND d.status = 1 AND d.streamer_id = a.room
    WHERE d.id IS NULL
$$;

-- migrate:down
DROP FUNCTION ledger_audit();
