-- Schema version 1. Columns have the ranges of the types of pactolus-ledger; coins are 0 to 2^53 - 1.
--
-- Every primary key begins with the partition, 0 to 255: the first byte of the id of the account or bill number.
-- Portable to distributed engines: no sequence, trigger, foreign key or server-side language.

-- Current state of an account. `orders` is its order count; rows are updated in place.
CREATE TABLE pactolus.accounts (
    part smallint NOT NULL,
    id uuid NOT NULL,
    app text NOT NULL,
    environment smallint NOT NULL, -- 0 live, 1 sandbox
    offer text NOT NULL,
    player text NOT NULL,
    zone text NOT NULL,
    saved bigint NOT NULL,
    presented bigint NOT NULL,
    spent bigint NOT NULL,
    gifted bigint NOT NULL,
    orders bigint NOT NULL,
    counted_day bigint, -- the last day with gifts under a daily limit, and their coins
    counted_coins bigint,
    CONSTRAINT accounts_pkey PRIMARY KEY (part, id)
) WITH (fillfactor = 70);

-- Orders by account and number, with the account after each.
CREATE TABLE pactolus.orders (
    part smallint NOT NULL,
    kind smallint NOT NULL, -- 0 save, 1 present, 2 pay, 3 cancel
    account uuid NOT NULL,
    number bigint NOT NULL,
    at_ms bigint NOT NULL,
    coins bigint NOT NULL,
    gifted bigint NOT NULL,
    saved_after bigint NOT NULL,
    presented_after bigint NOT NULL,
    spent_after bigint NOT NULL,
    gifted_after bigint NOT NULL,
    counted_day_after bigint,
    counted_coins_after bigint,
    per_order_max bigint, -- of a gift: its limits
    per_day_max bigint,
    window_ms bigint, -- of a cancel: maximum age of its pay
    bill_no text NOT NULL,
    item text,
    remark text,
    CONSTRAINT orders_pkey PRIMARY KEY (part, account, number)
);

-- Entry of a bill number: its order, by account and number, and the number of the cancel.
CREATE TABLE pactolus.bills (
    part smallint NOT NULL,
    id uuid NOT NULL,
    account uuid NOT NULL,
    number bigint NOT NULL,
    cancel bigint,
    CONSTRAINT bills_pkey PRIMARY KEY (part, id)
);

-- Totals of orders per offer, zone and day. A total is split into several rows, one for each `part` that a writer
-- used, to avoid contention; readers add them up.
CREATE TABLE pactolus.totals (
    part smallint NOT NULL,
    app text NOT NULL,
    environment smallint NOT NULL,
    day bigint NOT NULL,
    offer text NOT NULL,
    zone text NOT NULL,
    saves bigint NOT NULL,
    saved numeric(39) NOT NULL,
    presents bigint NOT NULL,
    presented numeric(39) NOT NULL,
    pays bigint NOT NULL,
    paid numeric(39) NOT NULL,
    cancels bigint NOT NULL,
    cancelled numeric(39) NOT NULL,
    CONSTRAINT totals_pkey PRIMARY KEY (part, app, environment, day, offer, zone)
) WITH (fillfactor = 50);

-- Records: tokens and sessions, with an expiry.
CREATE TABLE pactolus.records (
    part smallint NOT NULL,
    name text NOT NULL,
    value bytea NOT NULL,
    expires_ms bigint NOT NULL,
    CONSTRAINT records_pkey PRIMARY KEY (part, name)
);

CREATE INDEX records_expiry ON pactolus.records (part, expires_ms);
