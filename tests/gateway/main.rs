//! Integration tests of the whole product: a real Redis, the real binary, its
//! HTTP side. Each test has servers of its own and runs beside the others.

mod support;

mod parser;

mod golden;
mod payload;
mod reference;
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
mod openmetrics;
mod created;
mod prometheus;
mod acknowledgement;

mod command_line;
mod config;
mod settings;

mod access;
mod answers;
mod excess;
mod arrays;
mod embedded;
mod dead_letters;
mod fail_closed;
mod faults;
mod forged;
mod reaching;
mod hostile;
mod slow;
mod crowd;
mod rebinding;
mod web_config;

mod once;
mod checkpoint;
mod record_lost;
mod chaos;

mod consumers;
mod doctor;
mod lifecycle;
mod nodes;
mod lint;
mod own_files;
mod state_file;
mod trickle;
mod why_rejected;
mod logs;
mod self_metrics;
mod status;
mod page;
mod demo;
mod top;

mod docs;
