#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pactolus_client::fuzzing::base_url(bytes));
