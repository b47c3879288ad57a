#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pactolus::fuzzing::results(bytes));
