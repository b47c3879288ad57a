//! The operations of the operator API, one for each of its routes: what a handler takes and answers it says itself.

use super::operation::{HandlerReply, Operation, Schemas, describe_handler};
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

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    vec![
        describe_handler(
            schemas,
            "put",
            SESSION,
            "Log a player in, in place of any login before",
            sessions::put,
        ),
        describe_handler(schemas, "post", CODE, "A code that logs a player in, once", codes::post)
            .with_problem(schemas, 409, "The app is set to take any code."),
        describe_handler(schemas, "get", ACCOUNTS, "What a player has", accounts::get),
        describe_handler(schemas, "post", ORDERS, "Top up or give, once for each bill number", orders::post)
            .with_problem(
                schemas,
                409,
                "The bill number made another order; the problem names the field that differs.",
            ),
        describe_handler(schemas, "get", ORDER, "What a bill number made", orders::get),
        describe_handler(schemas, "get", STATEMENT, "A player's orders, newest first", statement::get),
        describe_handler(schemas, "get", TOTALS, "What the orders of some days sum up to", totals::get),
        describe_handler(schemas, "get", FAULTS, "What goes wrong on purpose in the sandbox", faults::get),
        describe_handler(
            schemas,
            "put",
            FAULTS,
            "Let things go wrong on purpose in the sandbox",
            faults::put,
        ),
        describe_handler(schemas, "get", REJECTIONS, "The newest refusals of Midas calls", rejections::list),
        describe_handler(schemas, "get", REJECTION, "Why a Midas call was refused", rejections::get),
        describe_handler(schemas, "get", CLOCK, "What the bank's clock says", clock::get),
        describe_handler(schemas, "post", CLOCK, "Turn the clock", clock::post).with_problem(
            schemas,
            409,
            "The bank runs on the system's clock.",
        ),
    ]
}

impl HandlerReply for orders::PostedOrder {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        operation.add_response::<Self>(schemas, 201, "The order was applied now.");
        operation.add_response::<Self>(schemas, 200, "The same order was applied before; nothing changed.");
    }
}
