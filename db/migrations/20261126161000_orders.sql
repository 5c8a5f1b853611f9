-- migrate:up
-- What members buy from us. The id is made by the buyer's browser; price and points are ours and never change.
-- states and what leads from one to another: db/order.py
CREATE TABLE point_order (
    id uuid PRIMARY KEY,
    member_id bigint NOT NULL REFERENCES member (id),
    product text NOT NULL,
    points bigint NOT NULL,
    amount_won bigint NOT NULL,
    provider text NOT NULL,
    cid text NOT NULL,
    state text NOT NULL,
    tid text,
    pay_pc text,
    pay_mobile text,
    pay_app text,
    pg_token text,
    receipt text,
    method text,
    transfer_id bigint,
    checks integer NOT NULL DEFAULT 0,
    next_check_at timestamptz,
    unheard_at timestamptz,
    created_at timestamptz NOT NULL,
    state_at timestamptz NOT NULL,
    returned_at timestamptz,
    paid_at timestamptz,
    refunded_at timestamptz,
    CONSTRAINT point_order_state CHECK (state IN ('created', 'ready', 'approving', 'paid', 'refunding', 'refunded',
                                                  'voiding', 'voided', 'failed', 'expired', 'canceled', 'review')),
    CONSTRAINT point_order_amounts CHECK (points > 0 AND amount_won > 0),
    CONSTRAINT point_order_ready_with_links CHECK (
        state <> 'ready' OR num_nonnulls(tid, pay_pc, pay_mobile, pay_app) = 4),
    CONSTRAINT point_order_approving_with_token CHECK (state <> 'approving' OR num_nonnulls(pg_token, returned_at) = 2),
    CONSTRAINT point_order_paid_with_points CHECK (
        state NOT IN ('paid', 'refunding', 'refunded') OR num_nonnulls(transfer_id, paid_at) = 2),
    CONSTRAINT point_order_tid_once UNIQUE (provider, tid)
);
CREATE INDEX point_order_of_member ON point_order (member_id, created_at, id);
CREATE INDEX point_order_due ON point_order (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE TRIGGER point_order_is_immutable
    BEFORE UPDATE OF id, member_id, product, points, amount_won, provider, cid, created_at OR DELETE OR TRUNCATE
    ON point_order FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Which transfers an order has made: points given, taken for a refund, given back. kinds of transfer: 20, 21, 22
CREATE TABLE point_order_transfer (
    transfer_id bigint PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES point_order (id)
);
CREATE INDEX point_order_transfer_of_order ON point_order_transfer (order_id);
CREATE TRIGGER point_order_transfer_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON point_order_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Sets an order's state and moves its points in one transaction, or does neither.
-- verdict: ok | state (the order is in none of from_states) | insufficient
CREATE FUNCTION move_order_points(
    order_id uuid, from_states text[], to_state text, gives boolean, why smallint, moment timestamptz,
    look_at timestamptz, new_receipt text, new_method text
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found point_order;
    wallet bigint;
    posted transfer;
BEGIN
    SELECT * INTO found FROM point_order o WHERE o.id = order_id FOR NO KEY UPDATE;
    IF found.id IS NULL OR found.state <> ALL (from_states) THEN
        RETURN 'state';
    END IF;
    wallet := found.member_id * 16 + 1;
    PERFORM 1 FROM account WHERE id IN (9, wallet) ORDER BY id FOR NO KEY UPDATE;
    IF NOT gives AND (SELECT a.balance - a.min_balance < found.points FROM account a WHERE a.id = wallet) THEN
        RETURN 'insufficient';
    END IF;
    -- Each of an order's transfers reverses the one before it, and a transfer is reversed once: not twice given or taken.
    IF found.transfer_id IS NULL THEN
        posted := post_transfer(9, wallet, found.points, why);
    ELSE
        posted := reverse_transfer(found.transfer_id, why);
    END IF;
    INSERT INTO point_order_transfer (transfer_id, order_id) VALUES (posted.id, found.id);
    UPDATE point_order o SET
        state = to_state, state_at = moment, transfer_id = posted.id, checks = 0, next_check_at = look_at,
        receipt = coalesce(new_receipt, o.receipt), method = coalesce(new_method, o.method),
        pg_token = NULL, unheard_at = NULL, paid_at = coalesce(o.paid_at, moment)
    WHERE o.id = order_id;
    RETURN 'ok';
END
$$;

-- No rows: every order has moved exactly the points that its state says, and every such transfer is an order's.
CREATE FUNCTION order_audit() RETURNS TABLE (rule text, subject text, detail text) LANGUAGE sql STABLE AS $$
    WITH moved AS (
        SELECT t.id, t.kind, t.amount, l.order_id,
               CASE WHEN t.debit_account = 9 THEN t.credit_account ELSE t.debit_account END AS wallet,
               CASE WHEN t.debit_account = 9 THEN t.amount ELSE -t.amount END AS points,
               t.debit_account = 9 OR t.credit_account = 9 AS with_house
        FROM transfer t LEFT JOIN point_order_transfer l ON l.transfer_id = t.id WHERE t.kind IN (20, 21, 22)
    ), given AS (
        SELECT m.order_id, sum(m.points) AS points FROM moved m GROUP BY m.order_id
    )
    SELECT 'a transfer of an order is of its member and its points', format('transfer %s', m.id),
           format('kind %s, %s points of wallet %s, order %s', m.kind, m.points, m.wallet, coalesce(m.order_id::text, 'missing'))
    FROM moved m LEFT JOIN point_order o ON o.id = m.order_id
    WHERE o.id IS NULL OR NOT m.with_house
       OR (o.member_id * 16 + 1, o.points, m.points > 0) IS DISTINCT FROM (m.wallet, m.amount, m.kind IN (20, 22))
    UNION ALL
    SELECT 'an order has given its points exactly when it is paid', format('order %s', o.id),
           format('is %s with %s of %s points given', o.state, coalesce(g.points, 0), o.points)
    FROM point_order o LEFT JOIN given g ON g.order_id = o.id
    WHERE coalesce(g.points, 0) <> CASE o.state WHEN 'paid' THEN o.points ELSE 0 END
      AND NOT (o.state = 'review' AND g.points = o.points)
    UNION ALL
    SELECT 'the transfer of an order is there', format('order %s', l.order_id), format('transfer %s', l.transfer_id)
    FROM point_order_transfer l LEFT JOIN transfer t ON t.id = l.transfer_id AND t.kind IN (20, 21, 22) WHERE t.id IS NULL
$$;

-- The far side of the sandbox, where no money moves: what a payment provider would know. Empty in a house that takes money.
CREATE TABLE sandbox_payment (
    tid text PRIMARY KEY,
    cid text NOT NULL,
    order_id text NOT NULL,
    member_id text NOT NULL,
    item text NOT NULL,
    total_won bigint NOT NULL,
    vat_won bigint NOT NULL,
    approval_url text NOT NULL,
    cancel_url text NOT NULL,
    fail_url text NOT NULL,
    standing text NOT NULL,
    pg_token text,
    phone text,
    aid text,
    captured_won bigint NOT NULL DEFAULT 0,
    canceled_won bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    approved_at timestamptz,
    canceled_at timestamptz,
    CONSTRAINT sandbox_payment_amounts CHECK (total_won > 0 AND canceled_won BETWEEN 0 AND captured_won)
);

-- migrate:down
DROP TABLE sandbox_payment;
DROP FUNCTION order_audit();
DROP FUNCTION move_order_points(uuid, text[], text, boolean, smallint, timestamptz, timestamptz, text, text);
DROP TABLE point_order_transfer;
DROP TABLE point_order;
