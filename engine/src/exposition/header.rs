//! The HELP and TYPE lines of a family.

use super::families::Heading;
use crate::format::Format;
use crate::labels::escape;

/// Appends HELP and TYPE. Where `help` is empty the HELP line ends in a space:
/// every family has its one HELP line, as in the reference.
pub fn write_header(out: &mut Vec<u8>, format: Format, heading: Heading<'_>, help: &str) {
    let Heading { name, type_word } = heading;
    let mut lines = String::with_capacity(2 * name.len() + help.len() + 32);
    lines.push_str("# HELP ");
    lines.push_str(name);
    lines.push(' ');
    escape::append_help(&mut lines, help, format);
    lines.push_str("\n# TYPE ");
    lines.push_str(name);
    lines.push(' ');
    lines.push_str(type_word);
    lines.push('\n');
    out.extend_from_slice(lines.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: Format, help: &str, expected: &str) {
        let mut out = b"before\n".to_vec();
        write_header(&mut out, format, Heading { name: "x", type_word: "gauge" }, help);
        assert_eq!(String::from_utf8_lossy(&out), format!("before\n{expected}# TYPE x gauge\n"));
    }

    #[test]
    fn help_is_one_line() {
        check(Format::Text, "", "# HELP x \n");
        check(Format::OpenMetrics, "", "# HELP x \n");
        check(Format::Text, "Some help.", "# HELP x Some help.\n");
        check(Format::Text, "a \"b\"\n# c\\d", "# HELP x a \"b\"\\n# c\\\\d\n");
        check(Format::OpenMetrics, "a \"b\"\n# c\\d", "# HELP x a \\\"b\\\"\\n# c\\\\d\n");
    }
}
