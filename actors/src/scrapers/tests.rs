//! Who is known, who is forgotten, and what is kept for them.

use std::time::Duration;

use super::*;

fn id(number: u8) -> ScraperId {
    ScraperId::new(IpAddr::from([10, 0, 0, number]), "Prometheus/3.5.0", "")
}

/// Scrapers on a clock that the test can't move: their times are moved instead.
fn scrapers() -> Scrapers {
    Scrapers::new(Clock::start())
}

fn receipt(scrapers: &Scrapers, scraper: ScraperId, has_starts: bool) -> Receipt {
    Receipt { scrapers: scrapers.clone(), scraper, start: scrapers.start_scrape(), has_starts }
}

fn scrape(scrapers: &Scrapers, number: u8) -> ScrapeSeq {
    let receipt = receipt(scrapers, id(number), false);
    receipt.hand_in();
    receipt.start.seq
}

/// As if so much time had passed since all of them came.
fn let_pass(scrapers: &Scrapers, passed: Duration) {
    let now = scrapers.0.clock.now();
    let passed = passed.as_millis() as u64;
    for scraper in &mut scrapers.0.table.lock().scrapers {
        scraper.until = Moment((scraper.until.0.saturating_sub(passed)).max(now.0));
    }
}

#[test]
fn address_user_agent_and_query_tell_them_apart() {
    let of = |address: &str, agent: &str, query: &str| {
        ScraperId::new(address.parse().unwrap(), agent, query)
    };
    let one = of("10.0.0.1", "a", "");
    assert_eq!(one, of("::ffff:10.0.0.1", "a", ""), "the same address in another form");
    for other in [of("10.0.0.2", "a", ""), of("10.0.0.1", "b", ""), of("10.0.0.1", "a", "q")] {
        assert_ne!(one, other);
    }
    // Filters by many names are long, and no two are one.
    let long = |last: &str| of("::1", "a", &format!("{}{last}", "name[]=some&".repeat(100)));
    assert_eq!(long("name[]=a"), long("name[]=a"));
    assert_ne!(long("name[]=a"), long("name[]=b"));
    let one = of("::1", &"é".repeat(1000), &"é".repeat(1000));
    assert!(one.user_agent.len() <= MAX_ID_BYTES && one.query.len() <= MAX_ID_BYTES, "{one:?}");
}

#[test]
fn they_are_remembered_from_the_first_and_known_from_the_second_complete_scrape_on() {
    let scrapers = scrapers();
    let never_handed_in = receipt(&scrapers, id(1), false);
    assert_eq!(scrapers.last_seen(Some(&id(1))), None);
    let first = scrape(&scrapers, 1);
    assert_eq!((scrapers.last_seen(Some(&id(1))), scrapers.known()), (Some(first), 0));
    let second = scrape(&scrapers, 1);
    assert_eq!((scrapers.last_seen(Some(&id(1))), scrapers.known()), (Some(second), 1));
    // One that was begun before, and came late, takes nothing back.
    never_handed_in.hand_in();
    assert_eq!(scrapers.last_seen(Some(&id(1))), Some(second));
    assert_eq!(scrapers.last_seen(Some(&id(2))), None);
    assert_eq!(scrapers.last_seen(None), None);
}

#[test]
fn they_are_forgotten_after_ten_minutes() {
    let scrapers = scrapers();
    scrape(&scrapers, 1);
    scrape(&scrapers, 1);
    let_pass(&scrapers, Duration::from_secs(590));
    assert_eq!(scrapers.known(), 1);
    let_pass(&scrapers, Duration::from_secs(10));
    assert_eq!(scrapers.known(), 0);
    assert_eq!(scrapers.last_seen(Some(&id(1))), None);
    let start = scrapers.start_scrape();
    let horizon = scrapers.ack_horizon(start);
    assert_eq!((horizon.exposed_to_all, horizon.keep_until), (start.seq, Moment(0)));
    scrape(&scrapers, 1);
    assert_eq!(scrapers.known(), 0, "it is a new one");
}

#[test]
fn strangers_never_push_out_who_is_known() {
    let scrapers = scrapers();
    scrape(&scrapers, 1);
    scrape(&scrapers, 1);
    for stranger in 2..=200 {
        scrape(&scrapers, stranger);
    }
    assert_eq!(scrapers.known(), 1);
    assert_eq!(scrapers.0.table.lock().scrapers.len(), 1 + MAX_KNOWN);
    assert!(
        scrapers.last_seen(Some(&id(2))).is_none() && scrapers.last_seen(Some(&id(200))).is_some()
    );
    for stranger in 2..=200 {
        scrape(&scrapers, stranger);
        scrape(&scrapers, stranger);
    }
    assert_eq!(scrapers.known(), MAX_KNOWN, "no more than that, the first ones");
    assert!(
        scrapers.last_seen(Some(&id(1))).is_some() && scrapers.last_seen(Some(&id(16))).is_some()
    );
}

#[test]
fn what_the_slowest_has_not_seen_is_kept() {
    let scrapers = scrapers();
    let start = scrapers.start_scrape();
    assert_eq!(scrapers.ack_horizon(start).exposed_to_all, start.seq, "nobody has come yet");
    let slow = scrape(&scrapers, 1);
    scrape(&scrapers, 2);
    scrape(&scrapers, 2);
    let horizon = scrapers.ack_horizon(scrapers.start_scrape());
    assert_eq!(horizon.exposed_to_all, slow);
    assert!(horizon.exposed_to_known > slow, "who came once is not waited for");
    assert!(horizon.record_until >= Moment(REMEMBERED_MS));
    assert!(horizon.keep_until >= Moment(REMEMBERED_MS), "one is known");
}

#[tokio::test]
async fn the_end_comes_when_each_known_one_has_the_final_totals() {
    let scrapers = scrapers();
    scrapers.all_have_final_totals().await;
    for number in [1, 2, 1, 2, 3] {
        scrape(&scrapers, number);
    }
    let begun_before = receipt(&scrapers, id(1), false);
    scrapers.totals_are_final();
    assert_eq!(scrapers.missing(), 2, "one that came once is not waited for");
    let waiting = tokio::spawn({
        let scrapers = scrapers.clone();
        async move { scrapers.all_have_final_totals().await }
    });
    begun_before.hand_in();
    assert_eq!(scrapers.missing(), 2, "it may not show the last values");
    scrape(&scrapers, 1);
    receipt(&scrapers, id(2), true).hand_in();
    assert_eq!(scrapers.missing(), 1, "of a new series it has the start only");
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    scrape(&scrapers, 2);
    waiting.await.unwrap();
}

mod handing_over {
    use std::fs;

    use super::*;
    use crate::scrapers::handover::Handover;

    /// A state file, its handover, and scrapers of which the first alone has
    /// fetched everything.
    fn left() -> (tempfile::TempDir, Handover, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        fs::write(&path, "totals").unwrap();
        let before = scrapers();
        for number in [1, 1, 2, 2] {
            scrape(&before, number);
        }
        before.totals_are_final();
        scrape(&before, 1);
        let handover = Handover::beside(&path, true);
        handover.leave(&before);
        (folder, handover, path)
    }

    fn taken(handover: &Handover) -> Option<usize> {
        handover.take().unwrap().map(|left| left.0.len())
    }

    #[test]
    fn those_who_have_everything_are_known_to_the_next_process_and_to_no_other() {
        let (_folder, handover, _) = left();
        let next = scrapers();
        let horizon = next.take_over(handover.take().unwrap().unwrap().0);
        assert_eq!(next.known(), 1);
        assert_eq!(next.last_seen(Some(&id(1))), Some(ScrapeSeq(0)));
        assert_eq!(horizon.exposed_to_all, ScrapeSeq(0));
        assert!(horizon.record_until.0 > REMEMBERED_MS - 60_000);
        assert_eq!(taken(&handover), None, "it was removed");
    }

    #[test]
    fn it_belongs_to_one_state_file() {
        let (_folder, handover, path) = left();
        fs::write(&path, "other totals").unwrap();
        let error = handover.take().unwrap_err();
        assert_eq!(error.to_string(), "it belongs to another state file");
        assert_eq!(taken(&handover), None, "it was removed");
    }

    #[test]
    fn one_that_can_not_be_read_is_an_error_once() {
        let (folder, handover, _) = left();
        let path = folder.path().join("state.scrapers");
        let half = fs::read(&path).unwrap();
        fs::write(&path, &half[..half.len() / 2]).unwrap();
        assert!(handover.take().is_err());
        assert_eq!(taken(&handover), None, "it was removed");
    }
}
