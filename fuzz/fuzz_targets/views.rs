#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pactolus_ledger_embedded::fuzzing::views(bytes));
