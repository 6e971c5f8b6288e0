//! What is reported of one sample: a line for editors and CI, or an object a line
//! for programs.

use std::io::{self, Write};

use serde_json::json;

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FindingFormat {
    /// `file:line:column: reason: detail`
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Why a sample is refused, or what is odd about one that is not.
#[derive(Debug)]
pub struct LintFinding<'a> {
    /// The line of the input, from 1.
    pub line: usize,
    /// The byte of the line, from 1.
    pub column: usize,
    pub reason: &'a str,
    pub detail: &'a str,
    pub is_refused: bool,
}

impl LintFinding<'_> {
    /// Writes it as one line about the file of that name.
    pub fn write(&self, file: &str, form: FindingFormat, out: &mut impl Write) -> io::Result<()> {
        let Self { line, column, reason, detail, is_refused } = self;
        match form {
            FindingFormat::Text => writeln!(out, "{file}:{line}:{column}: {reason}: {detail}"),
            FindingFormat::Json => {
                let object = json!({
                    "file": file,
                    "line": line,
                    "column": column,
                    "reason": reason,
                    "detail": detail,
                    "refused": is_refused,
                });
                writeln!(out, "{object}")
            }
        }
    }
}
