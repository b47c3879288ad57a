//! Bodies that are JSON in a wrapping, or no JSON at all. A .NET `StreamWriter` puts a byte order mark before it; PHP's
//! curl sends an array as multipart; an HTTP library sends a form. An error about JSON syntax at column 1 helps none.

use pactolus_test_support::sample::ACCESS_TOKEN;

use super::raw::{Bank, FORM, assert_refused, present};

#[test]
fn byte_order_mark_is_ignored() {
    let bank = Bank::serve();
    let marked = format!("\u{feff}{}", present("one", "marked", 5));
    assert_eq!(bank.call("present", &marked)["balance"], 5);
    let spaced = format!("\u{feff}\r\n {} \n", present("one", "spaced", 5));
    assert_eq!(bank.call("present", &spaced)["balance"], 10);
    let token = r#"{"grant_type":"client_credential","appid":"wx1234567","secret":"APPSECRET"}"#;
    let reply = bank.send("POST", "/cgi-bin/stable_token", &[], format!("\u{feff}{token}"));
    assert!(reply["access_token"].is_string(), "{reply}");
    // One mark, and in UTF-8: a second one, or UTF-16, is no JSON.
    assert_refused(&bank.call("present", format!("\u{feff}{marked}")), 47001, "data format error");
    let utf16: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_refused(&bank.call("present", utf16), 47001, "data format error");
    bank.stop(2);
}

#[test]
fn form_and_compression_are_named() {
    let bank = Bank::serve();
    let path = format!("/cgi-bin/midas/sandbox/present?access_token={ACCESS_TOKEN}");
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"openid\"\r\n\r\none\r\n--b--\r\n";
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03";
    let cases: [(&[&str], &[u8], &str); 7] = [
        (&[FORM], b"openid=one&appid=wx1234567", "a form"),
        (&[], b"openid=one&appid=wx1234567", "a form"),
        (&[FORM], b"openid=%7B%7D", "a form"),
        (&["content-type: multipart/form-data; boundary=b"], multipart.as_bytes(), "a multipart form"),
        (&[], multipart.as_bytes(), "a multipart form"),
        (&["content-encoding: gzip"], gzip, "compressed"),
        (&["content-encoding: br"], b"\x0b\x02\x80{}\x03", "compressed"),
    ];
    for (headers, body, what) in cases {
        let reply = bank.send("POST", &path, headers, body);
        assert_refused(
            &reply,
            47001,
            &format!("data format error: the body is {what}; send one JSON object"),
        );
    }
    bank.stop(0);
}
