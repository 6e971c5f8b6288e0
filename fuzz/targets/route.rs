//! Fuzzes the check `route`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psg_fuzz::run("route", data));
