//! Exit statuses: 0 after a clean stop, 78 for bad configuration, 1 otherwise
//! (`ExitCode::SUCCESS` and `ExitCode::FAILURE` are the other two).

use std::panic::PanicHookInfo;
use std::process::ExitCode;

/// `EX_CONFIG` of BSD's sysexits.
const EX_CONFIG: u8 = 78;

/// The status for a configuration that can't be used.
pub fn bad_configuration() -> ExitCode {
    ExitCode::from(EX_CONFIG)
}

/// Ends the process after `report` at a panic of any of its threads: a shard that
/// is missing would look like counter resets, a reader that is missing like
/// silence.
pub fn on_panic(report: impl Fn(&PanicHookInfo<'_>) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        #[expect(clippy::exit, reason = "what a panic left half done can't be put in order")]
        std::process::exit(1);
    }));
}
