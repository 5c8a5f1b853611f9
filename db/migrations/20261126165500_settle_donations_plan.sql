-- migrate:up
-- Every join of settle_donations is a look-up by a unique index, for a batch of one and for one of 512. Left to itself
-- the planner plans each small batch anew, which costs four times what the donation does, or makes a plan for tables
-- that were empty on the first day and scans them for ever.
ALTER FUNCTION settle_donations(uuid[], bigint[], bigint[], bigint[], text[], boolean[], bytea[])
    SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION settle_donations(uuid[], bigint[], bigint[], bigint[], text[], boolean[], bytea[])
    SET enable_seqscan = off;
ALTER FUNCTION settle_donations(uuid[], bigint[], bigint[], bigint[], text[], boolean[], bytea[])
    SET enable_hashjoin = off;
ALTER FUNCTION settle_donations(uuid[], bigint[], bigint[], bigint[], text[], boolean[], bytea[])
    SET enable_mergejoin = off;

-- migrate:down
ALTER FUNCTION settle_donations(uuid[], bigint[], bigint[], bigint[], text[], boolean[], bytea[]) RESET ALL;
