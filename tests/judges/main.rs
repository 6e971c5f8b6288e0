//! What others make of the gateway: Prometheus, promtool, a browser, client
//! libraries, and readers who do what the documents say. A judge that is not on
//! the machine is skipped, and said; CI has them all.

mod openmetrics;
mod created;
mod prometheus;
mod acknowledgement;

mod client_library;
mod clients;
mod expfmt;
mod pushers;
mod page;

mod docs;
mod packaging;
