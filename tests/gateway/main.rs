//! The gateway as its users meet it: the real binary, a real Redis or its own
//! queue, and its HTTP side. Each test has servers of its own and runs beside
//! the others. What takes things down is in `tests/faults/`, what needs programs
//! of others to judge in `tests/judges/`.

mod parser;

mod golden;
mod payload;
mod fields;
mod arrays;
mod exemplars;
mod reference;
mod names;
mod rejects;
mod shapes;

mod cardinality;
mod series;
mod expiry;
mod limits;
mod shards;

mod filters;
mod formats;
mod instance;
mod answers;

mod command_line;
mod config;
mod settings;

mod access;
mod fail_closed;
mod rebinding;
mod web_config;

mod partitions;

mod embedded;
mod pushgateway;
mod dead_letters;
mod consumers;
mod statsd;
mod own_files;
mod state_file;
mod otlp;

mod doctor;
mod lifecycle;
mod lint;
mod why_rejected;
mod logs;
mod self_metrics;
mod status;
mod demo;
mod top;
mod totals;
