-- migrate:up
-- A token that came while another's approval is under way: tried in turn with that one until one of them is taken.
ALTER TABLE point_order ADD COLUMN spare_token text;

-- What may still go wrong is few rows among many.
CREATE INDEX point_order_unsettled ON point_order (state_at)
    WHERE state IN ('approving', 'refunding', 'voiding', 'review');

-- What a person decided of an order that fits nothing, and why. kept_won: what the provider said it keeps for us of this
-- order just before; NULL if it said nothing that could be read.
CREATE TABLE point_order_ruling (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES point_order (id),
    credited boolean NOT NULL,
    reason text NOT NULL,
    kept_won bigint,
    transfer_id bigint UNIQUE,
    created_at timestamptz NOT NULL,
    CONSTRAINT point_order_ruling_has_a_reason CHECK (reason <> '')
);
CREATE INDEX point_order_ruling_of_order ON point_order_ruling (order_id);
CREATE TRIGGER point_order_ruling_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON point_order_ruling
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- As before, and: the spare token goes with the other.
CREATE OR REPLACE FUNCTION move_order_points(
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
        pg_token = NULL, spare_token = NULL, unheard_at = NULL, paid_at = coalesce(o.paid_at, moment)
    WHERE o.id = order_id;
    RETURN 'ok';
END
$$;

-- Ends a review: with the order's points in the wallet or without them, whichever way they were, and with the reason.
-- verdict: ok | state (it is not in review) | gone (nobody is there to have the points) | insufficient
CREATE FUNCTION rule_order(
    order_id uuid, credits boolean, to_state text, why text, kept bigint, moment timestamptz
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found point_order;
    wallet bigint;
    stays boolean;
    given boolean;
    posted transfer;
BEGIN
    -- The member first, as whoever leaves does; so nobody leaves meanwhile.
    SELECT m.erased_at IS NULL INTO stays
    FROM member m WHERE m.id = (SELECT o.member_id FROM point_order o WHERE o.id = order_id) FOR SHARE;
    SELECT * INTO found FROM point_order o WHERE o.id = order_id FOR NO KEY UPDATE;
    IF found.id IS NULL OR found.state <> 'review' THEN
        RETURN 'state';
    END IF;
    wallet := found.member_id * 16 + 1;
    PERFORM 1 FROM account WHERE id IN (9, wallet) ORDER BY id FOR NO KEY UPDATE;
    given := EXISTS (SELECT 1 FROM transfer t WHERE t.id = found.transfer_id AND t.kind IN (20, 22));
    IF credits AND NOT given THEN
        IF NOT stays THEN
            RETURN 'gone';
        END IF;
        IF found.transfer_id IS NULL THEN
            posted := post_transfer(9, wallet, found.points, 20::smallint);
        ELSE
            posted := reverse_transfer(found.transfer_id, 22::smallint);
        END IF;
    ELSIF given AND NOT credits THEN
        IF (SELECT a.balance - a.min_balance < found.points FROM account a WHERE a.id = wallet) THEN
            RETURN 'insufficient';
        END IF;
        posted := reverse_transfer(found.transfer_id, 21::smallint);
    END IF;
    IF posted.id IS NOT NULL THEN
        INSERT INTO point_order_transfer (transfer_id, order_id) VALUES (posted.id, found.id);
    END IF;
    INSERT INTO point_order_ruling (order_id, credited, reason, kept_won, transfer_id, created_at)
    VALUES (found.id, credits, why, kept, posted.id, moment);
    UPDATE point_order o SET
        state = to_state, state_at = moment, transfer_id = coalesce(posted.id, o.transfer_id), checks = 0,
        next_check_at = NULL, pg_token = NULL, spare_token = NULL, unheard_at = NULL,
        paid_at = CASE WHEN credits THEN coalesce(o.paid_at, moment) ELSE o.paid_at END
    WHERE o.id = order_id;
    RETURN 'ok';
END
$$;

-- No rows: what a person decided has moved the points of that order and of no other. Beside order_audit(), which holds
-- every order's points against its state.
CREATE FUNCTION order_audit_rulings() RETURNS TABLE (rule text, subject text, detail text) LANGUAGE sql STABLE AS $$
    SELECT 'a ruling has moved points of its order, or none', format('ruling %s', r.id),
           format('transfer %s, order %s', r.transfer_id, r.order_id)
    FROM point_order_ruling r
    LEFT JOIN point_order_transfer l ON l.transfer_id = r.transfer_id AND l.order_id = r.order_id
    LEFT JOIN transfer t ON t.id = l.transfer_id AND (t.kind IN (20, 22)) = r.credited
    WHERE r.transfer_id IS NOT NULL AND t.id IS NULL
$$;

-- As before, and: not to who has left, in whose wallet nobody could spend it. The books keep what is the streamer's.
-- verdict: ok | replay | unknown | gone (the donor has left) | short (the earnings hold less by now)
CREATE OR REPLACE FUNCTION refund_donation(gift bigint, channel bigint, why text)
RETURNS TABLE (verdict text, earnings_after bigint) LANGUAGE plpgsql AS $$
DECLARE
    given donation;
    earlier bigint;
    stays boolean;
    posted transfer;
BEGIN
    SELECT * INTO given FROM donation d WHERE d.id = gift AND d.streamer_id = channel AND d.status = 1;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'unknown'::text, NULL::bigint;
        RETURN;
    END IF;
    -- Nobody leaves between the look and the points.
    SELECT m.erased_at IS NULL INTO stays FROM member m WHERE m.id = given.donor_id FOR SHARE;
    -- Two refunds of one donation stand in a row here; the second finds the first's transfer.
    PERFORM 1 FROM account WHERE id IN (given.donor_id * 16 + 1, channel * 16 + 2) ORDER BY id FOR NO KEY UPDATE;
    SELECT t.debit_after INTO earlier FROM transfer t WHERE t.reverses = given.transfer_id;
    IF FOUND THEN
        RETURN QUERY SELECT 'replay'::text, earlier;
        RETURN;
    END IF;
    IF stays IS NOT TRUE THEN
        RETURN QUERY SELECT 'gone'::text, NULL::bigint;
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

-- migrate:down
CREATE OR REPLACE FUNCTION refund_donation(gift bigint, channel bigint, why text)
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
DROP FUNCTION order_audit_rulings();
DROP FUNCTION rule_order(uuid, boolean, text, text, bigint, timestamptz);
CREATE OR REPLACE FUNCTION move_order_points(
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
DROP TABLE point_order_ruling;
DROP INDEX point_order_unsettled;
ALTER TABLE point_order DROP COLUMN spare_token;
