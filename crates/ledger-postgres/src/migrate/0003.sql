-- Schema version 3: refunds, and bill numbers that are unique per account.

ALTER TABLE pactolus.orders
    ADD COLUMN pay_no text,          -- refunds: the number of the pay
    ADD COLUMN back_coins bigint,    -- refunds: coins that all refunds of the pay gave back, this one included
    ADD COLUMN back_gifted bigint,   -- refunds: the gifted part of them
    ADD COLUMN of_account boolean;   -- true: the number is unique per account; NULL: per app and environment
