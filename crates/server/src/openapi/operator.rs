//! The operations of the operator API, one per route. Each handler's types describe its parameters and its reply.

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
            "Store a player's session in place of the current one",
            sessions::put,
        ),
        describe_handler(schemas, "post", CODE, "Issue a one-time login code", codes::post).with_problem(
            schemas,
            409,
            "The app's login mode is `open`: it accepts any code.",
        ),
        describe_handler(schemas, "get", ACCOUNTS, "Show an account", accounts::get),
        describe_handler(schemas, "post", ORDERS, "Top up, give or take back coins, or cancel a pay, once per bill number", orders::post)
            .with_problem(
                schemas,
                409,
                "The order is refused, and nothing changed: the bill number belongs to another order, the balance is \
                 too low for a debit, or there is no pay to cancel. The problem names the field.",
            ),
        describe_handler(schemas, "get", ORDER, "Show the order recorded under a bill number", orders::get),
        describe_handler(schemas, "get", STATEMENT, "List a player's orders, newest first", statement::get),
        describe_handler(schemas, "get", TOTALS, "Sum up the orders of a range of days", totals::get),
        describe_handler(schemas, "get", FAULTS, "List the fault rules of the sandbox", faults::get),
        describe_handler(schemas, "put", FAULTS, "Replace the fault rules of the sandbox", faults::put),
        describe_handler(
            schemas,
            "get",
            REJECTIONS,
            "List the newest rejections of Midas calls",
            rejections::list,
        ),
        describe_handler(schemas, "get", REJECTION, "Explain a rejection", rejections::get),
        describe_handler(schemas, "get", CLOCK, "Show the bank's clock", clock::get),
        describe_handler(schemas, "post", CLOCK, "Set the manual clock", clock::post).with_problem(
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
