//! Fuzzes the check `state`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psg_fuzz::run("state", data));
