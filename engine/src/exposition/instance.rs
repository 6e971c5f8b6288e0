//! The empty `instance` label: under `honor_labels` Prometheus adds its own
//! labels to a series only where the series does not have them, and one that is
//! empty counts as had. So a series of the fleet is not tied to the gateway that
//! happened to expose it.

use crate::labels;

const NAME: &str = "instance";
const EMPTY: &str = "instance=\"\"";

/// Label texts with an `instance` label in each; keeps its buffer from one
/// series to the next.
#[derive(Debug, Default)]
pub struct Completed(String);

impl Completed {
    /// `text` as it is where it has the label, else with an empty one: at its
    /// place among the others in a text that is sorted by name, else behind them.
    pub fn of<'a>(&'a mut self, text: &'a str, is_sorted: bool) -> &'a str {
        let Some(at) = place(text, is_sorted) else { return text };
        let (before, behind) = text.split_at_checked(at).unwrap_or((text, ""));
        let text = &mut self.0;
        text.clear();
        text.push_str(before);
        if behind.is_empty() && !before.is_empty() {
            text.push(',');
        }
        text.push_str(EMPTY);
        if !behind.is_empty() {
            text.push(',');
        }
        text.push_str(behind);
        text
    }
}

/// Where the label belongs; `None` where it is there.
fn place(text: &str, is_sorted: bool) -> Option<usize> {
    let mut at = 0;
    for (name, value) in labels::parts(text) {
        if name == NAME {
            return None;
        }
        if is_sorted && name > NAME {
            return Some(at);
        }
        at += name.len() + value.len() + "=\"\",".len();
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::labels::LabelRenderer;
    use crate::sample::{Label, Labels};

    fn check(text: &str, sorted: &str, as_sent: &str) {
        let mut completed = Completed::default();
        assert_eq!(completed.of(text, true), sorted);
        assert_eq!(completed.of(text, false), as_sent);
    }

    #[test]
    fn it_stands_at_its_place_or_behind() {
        check("", r#"instance="""#, r#"instance="""#);
        check(r#"a="1""#, r#"a="1",instance="""#, r#"a="1",instance="""#);
        check(r#"z="1""#, r#"instance="",z="1""#, r#"z="1",instance="""#);
        check(
            r#"a="1",instances="2""#,
            r#"a="1",instance="",instances="2""#,
            r#"a="1",instances="2",instance="""#,
        );
        check(
            r#"a=",instance=",z="\",\\""#,
            r#"a=",instance=",instance="",z="\",\\""#,
            r#"a=",instance=",z="\",\\",instance="""#,
        );
    }

    #[test]
    fn a_series_own_instance_stays() {
        let own = r#"a="1",instance="web",z="2""#;
        check(own, own, own);
        check(r#"instance="x""#, r#"instance="x""#, r#"instance="x""#);
    }

    proptest! {
        /// The same text that comes of rendering the labels with the empty one
        /// among them.
        #[test]
        fn it_is_the_text_of_the_labels_with_it(
            mut labels in proptest::collection::btree_map(
                prop_oneof!["[a-z]{1,3}", Just("instance".to_owned()), Just("instanc".to_owned())],
                "[a\"\\\\,={}\n]{1,6}",
                0..5,
            ),
        ) {
            let mut renderer = LabelRenderer::default();
            let mut render = |labels: &std::collections::BTreeMap<String, String>| {
                let labels: Vec<Label<'_>> =
                    labels.iter().map(|(name, value)| Label { name, value }).collect();
                renderer.canonical(Labels::from(&labels[..])).to_owned()
            };
            let text = render(&labels);
            labels.entry("instance".to_owned()).or_default();
            let expected = render(&labels);
            let mut completed = Completed::default();
            prop_assert_eq!(completed.of(&text, true), expected);
        }
    }
}
