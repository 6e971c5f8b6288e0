//! Numbers as the reference writes them.

use super::Format;

/// A `le` or `quantile` label value.
pub fn label_text(_value: f64, _format: Format) -> Box<str> {
    todo!()
}
