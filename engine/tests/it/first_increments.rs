//! The first increment: whatever is created, grows, expires and comes back between
//! whichever scrapes, each scraper's raw increase is what was pushed to what it
//! asks for.

mod world;

use proptest::prelude::*;
use psg_engine::store::{AckHorizon, ScrapeSeq};
use psg_engine::timestamp::Moment;

use world::*;

proptest! {
    #[test]
    fn each_scrapers_raw_increase_is_what_was_pushed(
        steps in prop::collection::vec(step(3), 1..60),
        expires in any::<bool>(),
        views in prop_oneof![
            Just([View::default(); 3]),
            prop::array::uniform3(view()),
        ],
    ) {
        let mut world = World::viewed(&views, if expires { TTL_MS } else { 0 });
        if expires {
            // Last values are kept for those who have come twice.
            (0..6).for_each(|scrape| world.scrape(scrape % 3, &[], true));
        }
        for step in steps {
            match step {
                Step::Push(series, value) => world.push(series, value),
                Step::Scrape { scraper, meanwhile, is_complete } => {
                    world.scrape(scraper, &meanwhile, is_complete);
                }
                Step::Wait(ticks) => world.wait(ticks),
                Step::Expire => world.pipeline.expire(),
                Step::Tell => world.pipeline.tell(),
            }
        }
        world.check();
    }
}

fn value(world: &mut World, seen: Option<u64>) -> Vec<(String, f64)> {
    let (_, _, body, _) = world.render(seen.map(ScrapeSeq), &[]);
    lines(&body).into_iter().collect()
}

#[test]
fn a_new_series_is_shown_once_at_0_and_a_returning_one_at_its_old_total() {
    let mut world = World::new(1, TTL_MS);
    world.scrape(0, &[], true);
    world.push(0, 5);
    let counter = |value| vec![("counter_x s=0".to_owned(), value)];
    assert_eq!(value(&mut world, Some(1)), counter(0.0));
    assert_eq!(value(&mut world, None), counter(5.0), "whose first scrape it is");
    assert_eq!(value(&mut world, Some(1)), counter(0.0), "the last one was not complete");
    world.push(0, 1);
    world.scrape(0, &[], true);
    world.scrape(0, &[], true);
    assert_eq!(world.scrapers[0].last["counter_x s=0"], 6.0);
    world.wait(1);
    world.scrape(0, &[], true);
    world.scrape(0, &[], true);
    world.wait(10);
    world.pipeline.expire();
    let seen = world.number;
    assert_eq!(value(&mut world, Some(seen)), []);
    world.push(0, 2);
    let seen = world.number;
    assert_eq!(value(&mut world, Some(seen)), counter(6.0));
    let seen = world.number;
    assert_eq!(value(&mut world, Some(seen)), counter(8.0));
}

/// A scrape suits others too: scrapers whose last complete scrape is that one,
/// or an earlier one.
#[test]
fn a_scrape_says_after_which_one_its_first_new_series_was_created() {
    let mut world = World::new(1, 0);
    world.scrape(0, &[], true);
    world.push(0, 1);
    // Somebody else's: the scraper has seen the first one only.
    world.render(None, &[]);
    world.push(2, 1);
    let (.., oldest) = world.render(Some(ScrapeSeq(1)), &[]);
    assert_eq!(oldest, Some(ScrapeSeq(1)));
    let (.., oldest) = world.render(Some(ScrapeSeq(2)), &[]);
    assert_eq!(oldest, Some(ScrapeSeq(2)));
    let (.., oldest) = world.render(Some(ScrapeSeq(3)), &[]);
    assert_eq!(oldest, None);
}

#[test]
fn gauges_and_summaries_are_shown_as_they_are() {
    let mut world = World::new(1, 0);
    world.scrape(0, &[], true);
    world.pipeline.batch(&[
        r#"{"type":"gauge","name":"g","value":7}"#,
        r#"{"type":"summary","name":"s","value":7}"#,
    ]);
    let seen = world.number;
    let shown = value(&mut world, Some(seen));
    assert_eq!(shown, [("g".into(), 7.0), ("s_count".into(), 1.0), ("s_sum".into(), 7.0)]);
}

/// A series whose time is over stays until its last value was fetched, and no
/// longer than scrapers are remembered.
#[test]
fn a_last_value_waits_for_who_has_not_fetched_it() {
    let mut world = World::new(1, TTL_MS);
    world.scrape(0, &[], true);
    world.scrape(0, &[], true);
    world.push(0, 3);
    world.wait(20);
    world.pipeline.expire();
    for expected in [0.0, 3.0] {
        world.scrape(0, &[], true);
        assert_eq!(world.scrapers[0].last.get("counter_x s=0"), Some(&expected));
    }
    world.wait(20);
    world.scrape(0, &[], true);
    world.pipeline.expire();
    assert_eq!(world.pipeline.stores.iter().map(|store| store.expired()).sum::<u64>(), 1);

    let mut world = World::new(1, TTL_MS);
    world.scrape(0, &[], true);
    world.push(0, 3);
    world.wait(20);
    for store in &mut world.pipeline.stores {
        store.set_ack_horizon(AckHorizon { keep_until: Moment(1000), ..AckHorizon::default() });
    }
    world.pipeline.expire();
    assert_eq!(world.pipeline.stores.iter().map(|store| store.expired()).sum::<u64>(), 1);
}

#[test]
fn what_is_applied_again_is_not_new() {
    let mut world = World::new(1, 0);
    world.scrape(0, &[], true);
    for store in &mut world.pipeline.stores {
        store.clear();
    }
    let mut again = World::new(1, 0);
    std::mem::swap(&mut again.pipeline.stores, &mut world.pipeline.stores);
    again.number = world.number;
    again.scrapers = std::mem::take(&mut world.scrapers);
    again.push(0, 5);
    let counter = |series: u32, value| (format!("counter_x s={series}"), value);
    assert_eq!(value(&mut again, Some(1)), [counter(0, 5.0)]);
    for store in &mut again.pipeline.stores {
        store.end_replay();
    }
    again.push(2, 5);
    assert_eq!(value(&mut again, Some(2)), [counter(0, 5.0), counter(2, 0.0)]);
}
