-- migrate:up
-- Two who walk one order at once must know of each other: what follows from money that is not there holds only while
-- nobody has begun another call.
ALTER TABLE point_order ADD COLUMN calls integer NOT NULL DEFAULT 0;

-- As before, and: with seen_calls, only if nobody has begun a call since so many.
-- verdict: ok | state (the order is in none of from_states, or another call was begun) | insufficient
DROP FUNCTION move_order_points(uuid, text[], text, boolean, smallint, timestamptz, timestamptz, text, text);
CREATE FUNCTION move_order_points(
    order_id uuid, from_states text[], seen_calls integer, to_state text, gives boolean, why smallint,
    moment timestamptz, look_at timestamptz, new_receipt text, new_method text
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found point_order;
    wallet bigint;
    posted transfer;
BEGIN
    SELECT * INTO found FROM point_order o WHERE o.id = order_id FOR NO KEY UPDATE;
    IF found.id IS NULL OR found.state <> ALL (from_states) OR found.calls <> seen_calls THEN
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

-- migrate:down
DROP FUNCTION move_order_points(uuid, text[], integer, text, boolean, smallint, timestamptz, timestamptz, text, text);
ALTER TABLE point_order DROP COLUMN calls;
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
