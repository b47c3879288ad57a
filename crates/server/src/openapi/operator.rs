//! The operations of the operator API, one for each of its routes: what a handler takes and answers it says itself.

use super::operation::{Answer, Operation, Schemas, operator};
use crate::operator::{accounts, clock, codes, faults, orders, rejections, sessions, statement, totals};

const SESSION: &str = "/api/v1/apps/{appid}/players/{openid}/session";
const CODE: &str = "/api/v1/apps/{appid}/players/{openid}/code";
const ACCOUNTS: &str = "/api/v1/apps/{appid}/accounts";
const ORDERS: &str = "/api/v1/apps/{appid}/orders";
const ORDER: &str = "/api/v1/apps/{appid}/orders/{bill_no}";
const STATEMENT: &str = "/api/v1/apps/{appid}/statement";
const TOTALS: &str = "/api/v1/apps/{appid}/totals";
const FAULTS: &str = "/api/v1/apps/{appid}/faults";
const REJECTIONS: &str = "/api/v1/rejections";
const REJECTION: &str = "/api/v1/rejections/{rid}";
const CLOCK: &str = "/api/v1/clock";

pub(super) fn operations(to: &mut Schemas) -> Vec<Operation> {
    vec![
        operator(to, "put", SESSION, "Log a player in, in place of any login before", sessions::put),
        operator(to, "post", CODE, "A code that logs a player in, once", codes::post).problem(
            to,
            409,
            "The app is set to take any code.",
        ),
        operator(to, "get", ACCOUNTS, "What a player has", accounts::get),
        operator(to, "post", ORDERS, "Top up or give, once for each bill number", orders::post).problem(
            to,
            409,
            "The bill number made another order; the problem names the field that differs.",
        ),
        operator(to, "get", ORDER, "What a bill number made", orders::get),
        operator(to, "get", STATEMENT, "A player's orders, newest first", statement::get),
        operator(to, "get", TOTALS, "What the orders of some days sum up to", totals::get),
        operator(to, "get", FAULTS, "What goes wrong on purpose in the sandbox", faults::get),
        operator(to, "put", FAULTS, "Let things go wrong on purpose in the sandbox", faults::put),
        operator(to, "get", REJECTIONS, "The newest refusals of Midas calls", rejections::list),
        operator(to, "get", REJECTION, "Why a Midas call was refused", rejections::get),
        operator(to, "get", CLOCK, "What the bank's clock says", clock::get),
        operator(to, "post", CLOCK, "Turn the clock", clock::post).problem(
            to,
            409,
            "The bank runs on the system's clock.",
        ),
    ]
}

impl Answer for orders::PostedOrder {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        operation.answer::<Self>(schemas, 201, "The order was applied now.");
        operation.answer::<Self>(schemas, 200, "The same order was applied before; nothing changed.");
    }
}
