//! Escaping of label values and help texts.
