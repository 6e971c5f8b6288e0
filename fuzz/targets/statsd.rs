//! Fuzzes the check `statsd`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psg_fuzz::run("statsd", data));
