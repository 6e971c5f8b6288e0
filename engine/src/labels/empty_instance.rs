//! The empty `instance` label: under `honor_labels` Prometheus adds its own
//! labels to a series only where the series does not have them, and one that is
//! empty counts as had. So a series of the fleet is not tied to the gateway that
//! happened to expose it.

use super::pairs::LabelPairs;
use super::text::parts;

const NAME: &str = "instance";
const EMPTY: &str = "instance=\"\"";

/// Adds the label to those of one series after the other; keeps its buffer.
#[derive(Debug, Default)]
pub(crate) struct EmptyInstance(String);

impl EmptyInstance {
    /// `labels` as they are where the label is among them, else with an empty
    /// one: at its place in labels that are sorted by name, else after them.
    pub fn added_to<'a>(&'a mut self, labels: LabelPairs<'a>, is_sorted: bool) -> LabelPairs<'a> {
        let Some(at) = place(labels.as_text(), is_sorted) else { return labels };
        let (before, after) =
            labels.as_text().split_at_checked(at).unwrap_or((labels.as_text(), ""));
        let text = &mut self.0;
        text.clear();
        text.push_str(before);
        if after.is_empty() && !before.is_empty() {
            text.push(',');
        }
        text.push_str(EMPTY);
        if !after.is_empty() {
            text.push(',');
        }
        text.push_str(after);
        LabelPairs::from_text(text)
    }
}

/// Where the label belongs; `None` where it is there.
fn place(text: &str, is_sorted: bool) -> Option<usize> {
    let mut at = 0;
    for (name, value) in parts(text) {
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
        let mut instance = EmptyInstance::default();
        let labels = LabelPairs::from_text(text);
        assert_eq!(instance.added_to(labels, true).as_text(), sorted);
        assert_eq!(instance.added_to(labels, false).as_text(), as_sent);
    }

    #[test]
    fn it_stands_at_its_place_or_last() {
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
                renderer.canonical(Labels::from(&labels[..])).to_string()
            };
            let text = render(&labels);
            labels.entry("instance".to_owned()).or_default();
            let expected = render(&labels);
            let mut instance = EmptyInstance::default();
            let completed = instance.added_to(LabelPairs::from_text(&text), true);
            prop_assert_eq!(completed.as_text(), expected);
        }
    }
}
