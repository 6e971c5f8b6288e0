//! States of some gateways become those of others: together they show the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use psg_engine::catalog::CatalogSettings;
use psg_engine::exposition::Format;
use psg_engine::regroup::{GatewayState, RegroupSettings, regroup};
use psg_engine::state::Head;
use psg_engine::store::{ExpirySettings, StoreSettings, TombstoneSettings};
use psg_engine::timestamp::Moment;

use super::round_trip::{feed, payload};
use super::{instants, pipeline, restored, snapshot};
use crate::support::cases;
use crate::support::pipeline::{Pipeline, PipelineSettings};

const KEY: [u8; 16] = [7; 16];

fn settings() -> PipelineSettings {
    PipelineSettings {
        expiry: ExpirySettings::new(20_000, 5_000),
        tombstone_ttl_ms: 1_000_000,
        created_timestamps: true,
        ..PipelineSettings::default()
    }
}

fn regroup_settings(settings: &PipelineSettings) -> RegroupSettings {
    let tombstones =
        TombstoneSettings { ttl_ms: settings.tombstone_ttl_ms, max: settings.max_tombstones };
    RegroupSettings {
        catalog: CatalogSettings { summary: settings.summary, ..CatalogSettings::default() },
        store: StoreSettings {
            expiry: settings.expiry,
            tombstones,
            empty_instance: false,
            created_timestamps: settings.created_timestamps,
            max_exemplars: settings.max_exemplars,
        },
    }
}

/// Any function of the name will do.
fn home_of(name: &str, count: usize) -> usize {
    name.bytes().map(usize::from).sum::<usize>() % count
}

fn name_of(payload: &str) -> &str {
    let (_, rest) = payload.split_once(r#""name":""#).expect("payloads have names");
    rest.split('"').next().expect("a split has a first part")
}

/// The payloads of each home, in their order.
fn of_homes(payloads: &[String], count: usize) -> Vec<Vec<String>> {
    let of =
        |home| payloads.iter().filter(|it| home_of(name_of(it), count) == home).cloned().collect();
    (0..count).map(of).collect()
}

fn state(pipeline: &mut Pipeline) -> GatewayState {
    let segments = snapshot(pipeline, 1, true);
    let head = Head { run_time: instants(pipeline).run_time, tombstone_key: KEY, time: None };
    GatewayState { head, segments }
}

/// What all show together, in some order.
fn shown(pipelines: &mut [Pipeline], format: Format) -> Vec<String> {
    let mut lines: Vec<String> =
        pipelines.iter_mut().flat_map(|pipeline| pipeline.lines(format)).collect();
    lines.retain(|line| line != "# EOF");
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(cases(32))]

    /// The gateways have run for different times with their states. What expired,
    /// returns to its total where its metric is at home now.
    #[test]
    fn together_they_show_the_same(
        before in prop::collection::vec(payload(), 1..150),
        after in prop::collection::vec(payload(), 1..60),
        (from, to) in (1usize..5, 1usize..5),
        head_start in (0u64..30).prop_map(|tenths| tenths * 100),
        idle in prop_oneof![Just(0u64), Just(30_000)],
    ) {
        let settings = settings();
        let mut old: Vec<Pipeline> = (0..from).map(|_| pipeline(&settings)).collect();
        for (home, payloads) in of_homes(&before, from).iter().enumerate() {
            old[home].now.0 += head_start * home as u64;
            feed(&mut old[home], payloads, 100);
            old[home].now.0 += idle;
            old[home].expire();
        }
        let states: Vec<GatewayState> = old.iter_mut().map(state).collect();
        let made = regroup(&states, &regroup_settings(&settings), to, |name| home_of(name, to));
        let made = made.expect("they were just written");
        prop_assert_eq!((made.without_tombstones, &*made.left_out), (0, &[][..]));
        let load = |state: &GatewayState| restored(&settings, &state.segments, state.head.run_time);
        let mut new: Vec<Pipeline> = made.states.iter().map(load).collect();
        let series: usize = new.iter().map(|pipeline| pipeline.catalog.live_series()).sum();
        prop_assert_eq!(made.series, series);
        for format in Format::ALL {
            prop_assert_eq!(shown(&mut new, format), shown(&mut old, format));
        }
        for (home, own) in of_homes(&before, to).iter().enumerate() {
            let names: Vec<&str> = own.iter().map(|payload| name_of(payload)).collect();
            for line in new[home].lines(Format::Text) {
                let of_home = line.starts_with('#') || names.iter().any(|name| line.starts_with(name));
                prop_assert!(of_home, "{line} at home {home} of {names:?}");
            }
        }
        // Every series goes on from its total, those included that had expired.
        let mut totals: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (count, pipelines) in [(from, &mut old), (to, &mut new)] {
            for (home, payloads) in of_homes(&after, count).iter().enumerate() {
                pipelines[home].now = Moment(pipelines[home].now.0 + 1);
                feed(&mut pipelines[home], payloads, 0);
            }
            totals.insert(totals.len(), shown(pipelines, Format::Text));
        }
        prop_assert_eq!(&totals[&0], &totals[&1]);
    }
}

/// Tombstones under another key could not be found any more.
#[test]
fn totals_of_expired_series_under_another_key_are_left_out_and_told() {
    let settings = settings();
    let mut states = Vec::new();
    for key in [KEY, [8; 16], KEY] {
        let mut one = pipeline(&settings);
        let name = format!("a{}_total", states.len());
        feed(&mut one, &[format!(r#"{{"name":"{name}","value":1}}"#)], 0);
        one.now.0 += 30_000;
        one.expire();
        let mut state = state(&mut one);
        state.head.tombstone_key = key;
        states.push(state);
    }
    let made = regroup(&states, &regroup_settings(&settings), 1, |_| 0).expect("they are sound");
    assert_eq!((made.without_tombstones, made.series), (1, 0));
    assert_eq!(made.states[0].head.tombstone_key, KEY);
    let mut one = restored(&settings, &made.states[0].segments, made.states[0].head.run_time);
    let again: Vec<String> =
        (0..3).map(|number| format!(r#"{{"name":"a{number}_total","value":1}}"#)).collect();
    feed(&mut one, &again, 0);
    let mut lines = one.lines(Format::Text);
    lines.retain(|line| !line.starts_with('#'));
    assert_eq!(lines, ["a0_total 2", "a1_total 1", "a2_total 2"]);
}

#[test]
fn a_damaged_state_is_told() {
    let settings = settings();
    let mut one = pipeline(&settings);
    feed(&mut one, &[r#"{"name":"a_total","value":1}"#.to_owned()], 0);
    let mut damaged = state(&mut one);
    let stored = damaged.segments.iter_mut().max_by_key(|stored| stored.bytes.len());
    let stored = stored.expect("it has segments");
    let mut bytes = stored.bytes.to_vec();
    *bytes.last_mut().expect("it has series") ^= 1;
    stored.bytes = bytes.into();
    let states = [state(&mut one), damaged];
    let refused = regroup(&states, &regroup_settings(&settings), 2, |_| 0);
    let message = refused.expect_err("a bit was changed").to_string();
    assert!(message.starts_with("state 1: segment "), "{message}");
}
