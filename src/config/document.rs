//! The table of settings as text: for `--help` and for docs/tune.md.

use std::fmt::Write;

use super::settings::{FALLBACKS, SETTINGS, Setting, environment_name};

/// Columns of `--help`.
const WIDTH: usize = 100;

/// The settings for `--help`, grouped by section.
pub fn help() -> String {
    let mut text = String::from(
        "Settings come from the environment, else from appsettings.json or --config FILE.\n",
    );
    let mut section = "";
    for setting in SETTINGS {
        if setting.section() != section {
            section = setting.section();
            writeln!(text, "\n{section}").expect("writing to a string can't fail");
        }
        write_setting(&mut text, setting);
    }
    text.push_str("\nHonoured where the setting above is not set\n");
    for fallback in FALLBACKS {
        let name = environment_name(fallback.name);
        let setting = fallback.stands_in_for.environment_name();
        writeln!(text, "  {name} (for {setting})").expect("writing to a string can't fail");
        write_wrapped(&mut text, fallback.help);
    }
    text
}

/// The settings as a Markdown table for docs/tune.md, fallbacks below it.
#[cfg(test)]
pub fn table_markdown() -> String {
    let mut text = String::from("| Setting | Default | Meaning |\n| --- | --- | --- |\n");
    for setting in SETTINGS {
        let default = shown_default(setting);
        let quoted = match setting.default.value() {
            Some("") => default,
            Some(_) => format!("`{default}`"),
            None => default,
        };
        text.push_str(&format!("| `{}` | {quoted} | {} |\n", setting.name, setting.help));
    }
    text.push_str("\nHonoured where the setting is not set:\n\n");
    text.push_str("| Environment | Stands in for | Meaning |\n| --- | --- | --- |\n");
    for fallback in FALLBACKS {
        let (name, setting) = (environment_name(fallback.name), fallback.stands_in_for.name);
        text.push_str(&format!("| `{name}` | `{setting}` | {} |\n", fallback.help));
    }
    text
}

fn shown_default(setting: &Setting) -> String {
    match setting.default.shown() {
        "" => "empty".to_owned(),
        text => text.to_owned(),
    }
}

fn write_setting(text: &mut String, setting: &Setting) {
    let (name, default) = (setting.environment_name(), shown_default(setting));
    writeln!(text, "  {} or {name} [default: {}]", setting.name, default.replace('`', ""))
        .expect("writing to a string can't fail");
    write_wrapped(text, setting.help);
}

/// Words in lines of at most [`WIDTH`] columns, indented; a terminal shows no
/// Markdown.
fn write_wrapped(text: &mut String, words: &str) {
    const INDENT: &str = "         ";
    let mut column = 0;
    let words = words.replace('`', "");
    for word in words.split(' ') {
        let length = word.chars().count() + 1;
        if column == 0 || column + length > WIDTH {
            text.push_str(if column == 0 { INDENT } else { "\n         " });
            column = INDENT.len();
        } else {
            text.push(' ');
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

/// Every setting's name, for tests of what is printed.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.name)
}
