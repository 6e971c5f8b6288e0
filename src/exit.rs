//! Exit statuses: 0 after a clean stop, 78 for bad configuration, 1 otherwise
//! (`ExitCode::SUCCESS` and `ExitCode::FAILURE` are the other two).

use std::process::ExitCode;

/// `EX_CONFIG` of BSD's sysexits.
const EX_CONFIG: u8 = 78;

/// The status for a configuration that can't be used.
pub fn bad_configuration() -> ExitCode {
    ExitCode::from(EX_CONFIG)
}
