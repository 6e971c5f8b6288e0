//! The Redis list as a queue source.
