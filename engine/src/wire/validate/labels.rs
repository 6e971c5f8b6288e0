//! The labels of a sample: what is left of those that were sent.

use std::collections::HashMap;

use super::{Rules, name_too_long, too_much};
use crate::metric::Kind;
use crate::name::escaping::Escaping;
use crate::name::{NameRules, Script};
use crate::printable::{SHORT, printable};
use crate::reject::{Reason, Reject};
use crate::text::{LabelText, Texts};

/// Up to this many labels, each is compared with each other.
const FEW_LABELS: usize = 64;

/// Leaves in `labels` the valid labels that the sample has; what their names are made of.
pub(super) fn normalize(
    labels: &mut Vec<LabelText>,
    sent: usize,
    texts: Texts<'_>,
    kind: Kind,
    rules: &Rules,
) -> Result<Script, Reject> {
    if sent == 0 {
        labels.clear();
        return Ok(Script::Legacy);
    }
    let limits = &rules.limits;
    if sent > limits.max_labels {
        let detail = too_much("labels", limits.max_labels, sent);
        return Err(Reject::new(Reason::TooManyLabels, detail));
    }
    if labels.len() <= FEW_LABELS {
        supersede_pairwise(labels, texts);
    } else {
        supersede_sorted(labels, texts);
    }
    if !rules.drop_labels.is_empty() {
        labels.retain(|label| !rules.drop_labels.contains(texts.get(label.name)));
    }
    let own_label = kind.own_label();
    let mut script = Script::Legacy;
    for label in labels.iter() {
        match check_label(label, texts, own_label, rules)? {
            Script::Legacy => {}
            Script::Any => script = Script::Any,
        }
    }
    labels.retain(|label| !label.value.is_empty());
    if script == Script::Any {
        check_prints(labels, texts)?;
    }
    Ok(script)
}

/// Takes the value off each label that another of the same name follows.
#[inline]
pub(super) fn supersede_pairwise(labels: &mut [LabelText], texts: Texts<'_>) {
    for later in 1..labels.len() {
        let (earlier, rest) = labels.split_at_mut(later);
        let name = rest[0].name;
        for label in earlier.iter_mut().filter(|label| label.name.len() == name.len()) {
            if texts.get(label.name) == texts.get(name) {
                label.supersede();
            }
        }
    }
}

/// The same in less than quadratic time, for where the limit was set high.
fn supersede_sorted(labels: &mut [LabelText], texts: Texts<'_>) {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|index| texts.get(labels[*index].name));
    for pair in order.windows(2) {
        if texts.get(labels[pair[0]].name) == texts.get(labels[pair[1]].name) {
            labels[pair[0]].supersede();
        }
    }
}

#[inline(always)]
fn check_label(
    label: &LabelText,
    texts: Texts<'_>,
    own_label: Option<&str>,
    rules: &Rules,
) -> Result<Script, Reject> {
    let (name, limits) = (texts.get(label.name), &rules.limits);
    if name.len() > limits.max_name_bytes {
        return Err(name_too_long(name.len(), limits));
    }
    let Some(script) = rules.names.script_of_label(name) else {
        return Err(bad_label_name(expected_label_name(rules.names), name));
    };
    if own_label == Some(name) {
        return Err(bad_label_name("one that the type does not print itself", name));
    }
    if let Some(got) = label.wrong {
        let detail =
            format!("expected text as value of {}, got {}", printable(name, SHORT), got.as_str());
        return Err(Reject::new(Reason::InvalidLabelValue, detail));
    }
    if label.value.len() > limits.max_label_value_bytes {
        let limit = limits.max_label_value_bytes;
        let detail = too_much("bytes in a label value", limit, label.value.len());
        return Err(Reject::new(Reason::LabelTooLong, detail));
    }
    Ok(script)
}

fn expected_label_name(names: NameRules) -> &'static str {
    match names {
        NameRules::Legacy => "[a-zA-Z_][a-zA-Z0-9_]* and not beginning with __",
        NameRules::Utf8 => {
            "any text that does not begin with __, is not escaped to one of Prometheus' own, and \
             does not look like an escaped one (U__)"
        }
    }
}

/// Refuses labels of which two would have one name where names are escaped.
#[cold]
fn check_prints(labels: &[LabelText], texts: Texts<'_>) -> Result<(), Reject> {
    let mut printed = HashMap::new();
    for name in labels.iter().map(|label| texts.get(label.name)) {
        if let Some(other) = printed.insert(Escaping::Underscores.label(name), name) {
            let (one, other) = (printable(other, SHORT), printable(name, SHORT));
            let detail = format!("{one} and {other} would be one label where names are escaped");
            return Err(Reject::new(Reason::LabelConflict, detail));
        }
    }
    Ok(())
}

#[cold]
fn bad_label_name(expected: &str, name: &str) -> Reject {
    let detail = format!("expected a label name like {expected}, got {}", printable(name, SHORT));
    Reject::new(Reason::InvalidLabelName, detail)
}
