//! Fuzzes the check `web-config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psg_fuzz::run("web-config", data));
