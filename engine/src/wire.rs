//! Wire: the bytes of a payload become samples.
//!
//! A *payload* is one queue element. An *encoding* is a module here that reads
//! payloads: today [`json`] alone. It reads what is there into a [`RawSample`],
//! and [`validate`] makes a sample of that or refuses it, by the same rules
//! whatever the encoding.
//!
//! A payload with several faults is refused for the first of these. The encoding
//! gives:
//!
//! 1. `payload_too_large`
//! 2. `invalid_json`, then `not_a_sample`
//! 3. `invalid_field`: name, value, help, labels, buckets, quantiles, epsilons,
//!    op, values, counts, sum, unit, exemplar, factor, native
//! 4. `unknown_type`
//!
//! and [`validate`], for every encoding:
//!
//! 5. `missing_name`, then `name_too_long`, then `invalid_name`; then `invalid_unit`,
//!    and `name_too_long` of a name that gets its unit
//! 6. `invalid_field`: an unknown op, or one of another type; more than one of
//!    value, values, counts and native, or one that the type does not take; counts or
//!    native without a sum, or a sum without either; a factor beside counts or native,
//!    or on another type than histogram
//! 7. `too_many_values`, then `non_finite`, then `negative_counter`
//! 8. `help_too_long`
//! 9. `too_many_labels`; then for each label in turn `name_too_long`,
//!    `invalid_label_name`, `invalid_label_value`, `label_too_long`; then
//!    `label_conflict`
//! 10. `bad_buckets` of a histogram, or of the count of a summary, `bad_quantiles` of a
//!     summary
//! 11. `bad_timestamp`, then `bad_ttl`
//!
//! What is wrong in an exemplar refuses nothing: the exemplar is dropped.
//!
//! Reserved names are the catalog's to refuse, since a family may print names
//! besides its own.
//!
//! To add an encoding: a module beside [`json`] that makes a [`RawSample`] of its
//! bytes, a form of payload ([`PayloadForm`]) that its first bytes give away, and
//! the arm that the compiler then asks for in [`crate::intake::Intake::route`],
//! which hands each sample on to [`crate::intake::Intake::take`].
//!
//! To add a field to samples: a field of [`RawSample`], or of [`RawRare`] where few
//! samples have it, and of [`Sample`](crate::sample::Sample), its check in [`validate`],
//! and in [`json`] a member of `Fields` or `RareFields`; from there see
//! [`crate::intake`].

pub mod json;
mod unknown_fields;
mod validate;

pub use json::{
    FIELDS, JsonDecoder, JsonSample, NATIVE_FIELDS, Place, Places, door_in, metric_name_in,
};
pub use unknown_fields::{MAX_UNKNOWN_FIELDS, UnknownFields};
#[cfg(doc)]
use validate::{RawRare, RawSample};
pub(crate) use validate::{accepted_timestamp, take_known_counts};

/// How a payload is to be read, as its first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadForm {
    /// One sample in JSON; what has no form at all is refused as that.
    JsonSample,
    /// A JSON array of samples.
    JsonArray,
}

impl PayloadForm {
    /// The form of `payload`, if it is well-formed at all.
    #[inline]
    pub fn of(payload: &[u8]) -> Self {
        match json::begins_array(payload) {
            true => PayloadForm::JsonArray,
            false => PayloadForm::JsonSample,
        }
    }
}
