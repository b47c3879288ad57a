//! One text with U+0000, which PostgreSQL cannot store: the order is refused once and for all on every engine, and the
//! orders beside it are applied.

use pactolus_protocol::{Call as _, Pay};
use pactolus_test_postgres::Database;
use pactolus_types::Environment;

use super::raw::{Bank, assert_refused, parameters, present, signed};

#[test]
fn text_with_nul_is_refused_alone() {
    let database = Database::create();
    for bank in [Bank::serve(), Bank::on_store(&database.url())] {
        assert_eq!(bank.call("present", present("one", "gift", 100))["balance"], 100);
        for (number, texts) in [
            r#""pay_item":"sword","app_remark":"a\u0000b""#,
            r#""pay_item":"\u0000","app_remark":"""#,
            r#""pay_item":"sword\u0000","app_remark":"\u0000""#,
        ]
        .into_iter()
        .enumerate()
        {
            let poisoned = parameters("one", &format!(r#","amt":5,"bill_no":"bad-{number}",{texts}"#));
            let body = signed(Pay::path(Environment::Sandbox), &poisoned);
            for _ in 0..2 {
                assert_refused(&bank.call("pay", &body), 90018, "invalid parameter: ");
            }
            let honest = present("two", &format!("honest-{number}"), 5);
            assert_eq!(bank.call("present", honest)["errcode"], 0);
        }
        bank.stop(4);
    }
}
