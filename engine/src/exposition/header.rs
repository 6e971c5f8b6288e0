//! The HELP and TYPE lines of a family.
