-- Schema version 2: debits.

-- Coins ever taken by debits; NULL is zero.
ALTER TABLE pactolus.accounts ADD COLUMN debited bigint;

-- kind 4 is a debit. NULL is zero, or no debit.
ALTER TABLE pactolus.orders
    ADD COLUMN debited_after bigint,
    ADD COLUMN amount bigint, -- of a debit: the requested coins; `coins` are those taken
    ADD COLUMN take_available smallint, -- of a debit: 1 takes the whole balance where it is below `amount`, 0 refuses
    ADD COLUMN paid_first smallint; -- of a debit: 1 takes paid coins first, 0 gifted ones

ALTER TABLE pactolus.totals
    ADD COLUMN debits bigint NOT NULL DEFAULT 0,
    ADD COLUMN debited numeric(39) NOT NULL DEFAULT 0;
