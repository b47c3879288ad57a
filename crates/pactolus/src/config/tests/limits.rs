//! Tests of the sections of limits.

use super::*;

#[test]
fn limits_have_sections_and_ranges() {
    let more = "[limits]\nrequest_timeout_s = 7\nsessions_cached = 10\n\
        connections_per_address_max = 5\n[embedded]\nmemtable_orders = 3\ndisk_reserve_bytes = 5\n";
    let case = ConfigFixture::new(&minimal_with_app_settings(more))
        .variable("PACTOLUS_EMBEDDED_SEGMENT_BYTES", "4096");
    let config = case.config();
    assert_eq!(config.server.limits.request_timeout, Duration::from_secs(7));
    assert_eq!(config.server.limits.sessions_cached, 10);
    assert_eq!(config.server.limits.connections_per_address_max, Some(5));
    assert_eq!(config.server.limits.idle_timeout, Limits::default().idle_timeout);
    assert_eq!((config.embedded.memtable_orders, config.embedded.segment_bytes), (3, 4096));
    assert_eq!(config.embedded.disk_reserve_bytes, 5);

    let cases = [
        ("[limits]\nrequest_timeout_s = 0", "`request_timeout_s` is \"0\"; it must be 1 to 3600 seconds"),
        ("[limits]\nrejections_max = 0", "`rejections_max` is \"0\"; it must be 1 to 1000000000"),
        ("[limits]\nsessions_cached = \"all\"", "`sessions_cached` is text; it must be a plain number"),
        ("[limits]\ndiagnoses_per_second = 0", "`diagnoses_per_second` is \"0\"; it must be 1 to 4294967295"),
        ("[limits]\nwrite_timeout_s = 3601", "`write_timeout_s` is \"3601\"; it must be 1 to 3600 seconds"),
        ("[limits]\nconnections_max = 0", "`connections_max` is \"0\"; it must be 1 to 1000000000"),
        (
            "[limits]\nconnections_per_address_max = 0",
            "`connections_per_address_max` must be 1 to 1000000000 connections, or \"off\"",
        ),
        ("[limits]\nheader_bytes_max = 8191", "`header_bytes_max` is \"8191\"; it must be 8192 to 1048576"),
        (
            "[embedded]\nsegment_bytes = 4095",
            "`segment_bytes` is \"4095\"; it must be 4096 to 18446744073709551615",
        ),
        ("[embedded]\nmemtable_order = 1", "unknown key `memtable_order`; did you mean `memtable_orders`?"),
    ];
    for (more, wrong) in cases {
        ConfigFixture::new(&minimal_with_app_settings(more))
            .assert_refused(&[&format!("pactolus.toml:11: {wrong}")]);
    }
}
