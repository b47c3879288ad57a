#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pactolus::fuzzing::store_url(bytes));
