//! Fuzzes the check `record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psg_fuzz::run("record", data));
