#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pactolus_protocol::fuzzing::raw(bytes));
