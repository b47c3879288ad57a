//! A studio stores `used_gen_amt` of every pay, for its revenue report. The reply is lost, the repeat is answered 90012:
//! without the split in that answer it is never learnt.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};

use pactolus_test_support::sample::ACCESS_TOKEN;

use super::raw::{Bank, pay, present, send};

#[test]
fn repeated_pay_tells_its_split_again() {
    let bank = Bank::serve();
    assert_eq!(bank.call("present", present("one", "gift", 3))["errcode"], 0);
    let save = r#"{"kind":"save","env":"sandbox","openid":"one","bill_no":"topup","coins":10}"#;
    let (status, reply) = send(
        bank.address(),
        "POST",
        "/api/v1/apps/wx1234567/orders",
        &["authorization: Bearer OPERATORTOKEN", "content-type: application/json"],
        save.as_bytes(),
    );
    assert!(status < 300, "{status} {reply}");
    for (number, coins, gifted) in [("a", 2, 2), ("b", 5, 1), ("c", 4, 0)] {
        // The caller is gone before the reply.
        let body = pay("one", number, coins);
        let mut caller = TcpStream::connect(bank.address()).unwrap();
        let path = format!("/cgi-bin/midas/sandbox/pay?access_token={ACCESS_TOKEN}");
        write!(caller, "POST {path} HTTP/1.1\r\nhost: bank\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            .unwrap();
        let _ = caller.shutdown(Shutdown::Write);
        drop(caller);
        let mut reply = bank.call("pay", &body);
        if reply["errcode"] == 0 {
            assert_eq!(reply["used_gen_amt"], gifted, "{reply}");
            reply = bank.call("pay", &body);
        }
        assert_eq!(
            (&reply["errcode"], &reply["used_gen_amt"]),
            (&90012.into(), &gifted.into()),
            "{number}: {reply}"
        );
        assert_eq!(reply["bill_no"], number);
    }
    bank.stop(5);
}
