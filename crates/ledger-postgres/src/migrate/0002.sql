-- Schema version 2: debits, daily limits of local days, and totals by the quarter of an hour.

-- Coins ever taken by debits; NULL is zero.
ALTER TABLE pactolus.accounts ADD COLUMN debited bigint;

-- Kind 4 is a debit. NULL is zero, or not of this kind.
ALTER TABLE pactolus.orders
    ADD COLUMN debited_after bigint,
    ADD COLUMN amount bigint, -- of a debit: the requested coins; `coins` are those taken
    ADD COLUMN take_available smallint, -- of a debit: 1 takes the whole balance where it is below `amount`, 0 refuses
    ADD COLUMN paid_first smallint, -- of a debit: 1 takes paid coins first, 0 gifted ones
    ADD COLUMN utc_offset_min smallint; -- of a gift under a daily limit; NULL: decided before this version

-- `quarter` counts periods of 15 minutes since 1970-01-01 UTC, as `day` counted days. The rows are summed up again from
-- the orders, so the days of every time zone are exact, the past ones too.
ALTER TABLE pactolus.totals RENAME COLUMN day TO quarter;

ALTER TABLE pactolus.totals
    ADD COLUMN debits bigint NOT NULL DEFAULT 0,
    ADD COLUMN debited numeric(39) NOT NULL DEFAULT 0;

DELETE FROM pactolus.totals;

INSERT INTO pactolus.totals (part, app, environment, quarter, offer, zone, saves, saved, presents, presented, pays,
    paid, cancels, cancelled)
SELECT 0, s.app, s.environment, s.quarter, s.offer, s.server,
    count(*) FILTER (WHERE s.kind = 0), coalesce(sum(s.coins) FILTER (WHERE s.kind = 0), 0),
    count(*) FILTER (WHERE s.kind = 1), coalesce(sum(s.coins) FILTER (WHERE s.kind = 1), 0),
    count(*) FILTER (WHERE s.kind = 2), coalesce(sum(s.coins) FILTER (WHERE s.kind = 2), 0),
    count(*) FILTER (WHERE s.kind = 3), coalesce(sum(s.coins) FILTER (WHERE s.kind = 3), 0)
FROM (
    SELECT a.app, a.environment, a.offer, o.kind, o.coins, least(o.at_ms / 900000, 4294967295) AS quarter,
        -- The game server: the zone up to the `_` that joins a role, unless it begins with it.
        CASE WHEN position('_' IN a.zone) > 1 THEN split_part(a.zone, '_', 1) ELSE a.zone END AS server
    FROM pactolus.orders o JOIN pactolus.accounts a ON a.part = o.part AND a.id = o.account
) s
GROUP BY s.app, s.environment, s.quarter, s.offer, s.server;
