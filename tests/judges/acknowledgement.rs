//! The scrape as acknowledgement: what each scraper is shown first and last.

mod filters;
mod first_increment;
mod handover;
mod late;
mod linger;
mod rolling;

use std::time::Duration;

use psg_testkit::{Exposition, Format, Gateway, wait_for};

/// Long enough for any scraper of a test; only one that fails takes as long.
const LINGER_SECONDS: &str = "30";
/// How long an end may take that nobody holds up.
const SOON: Duration = Duration::from_secs(15);

/// One scrape by a scraper of that name: its `User-Agent`.
fn scrape_as(gateway: &Gateway, name: &str) -> Exposition {
    scrape_filtered_as(gateway, name, "")
}

/// The same with a query, which begins with its question mark.
fn scrape_filtered_as(gateway: &Gateway, name: &str, query: &str) -> Exposition {
    let reply = gateway.must_get(&format!("/metrics{query}"), &[("User-Agent", name)]);
    assert_eq!(reply.status, 200, "{}", reply.text());
    Exposition::parse(&reply.text(), Format::Text).expect("it is well-formed")
}

/// Scrapes by that scraper until `taken` samples are processed.
fn scrape_as_until(gateway: &Gateway, name: &str, taken: u64) -> Exposition {
    wait_for(&format!("{taken} samples"), || {
        let seen = scrape_as(gateway, name);
        let (processed, _) = seen.totals();
        if processed == taken { Ok(seen) } else { Err(format!("{processed}")) }
    })
}

fn wait_for_log(gateway: &Gateway, words: &str) {
    wait_for(words, || {
        let log = gateway.log().join("\n");
        if log.contains(words) { Ok(()) } else { Err(log) }
    });
}
