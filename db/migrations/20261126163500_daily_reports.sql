-- migrate:up
-- What a day (UTC) has brought, and whether the books balanced when it was over. Kept, never written over.
CREATE TABLE daily_report (
    day date PRIMARY KEY,
    lines text[] NOT NULL,
    findings text[] NOT NULL,
    -- the last of the day: the next day's figures begin behind it, so that nobody reads the whole past each night
    last_transfer bigint NOT NULL,
    last_donation bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER daily_report_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON daily_report
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- migrate:down
DROP TABLE daily_report;
