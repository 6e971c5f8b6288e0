//! Each rule of the router's protocol with the homes, one test each.

use super::*;

const P: usize = 2;

fn partitions() -> Partitions {
    Partitions::new(P).unwrap()
}

fn lane(number: u16) -> Lane {
    Lane::from_number(number).unwrap()
}

fn tenure(epoch: u64, end: Place) -> Tenure {
    Tenure { partition: 1, epoch, token: "me".to_owned(), line: Line::default(), end }
}

fn chunk() -> Chunk {
    Chunk { frames: vec![b"frame".to_vec()], samples: 3 }
}

/// What a checkpoint says: of lane 0 as given, of all others that they are at `at`.
fn stored(at: Place, first: StoredLane) -> StoredLanes {
    let mut lanes = vec![StoredLane { from: at, chunk_end: None }; partitions().lanes().len()];
    lanes[0] = first;
    StoredLanes::new(lanes)
}

/// All lanes of a home at one place, but for the first.
fn at(place: Place, first: EnteredLane) -> EnterAnswer {
    let mut lanes = vec![EnteredLane { was: Some(place), is: place }; LANES_PER_HOME.into()];
    lanes[0] = first;
    EnterAnswer::Entered(lanes)
}

fn still(place: Place) -> EnteredLane {
    EnteredLane { was: Some(place), is: place }
}

fn enter_request(lanes: &Lanes, home: usize) -> EnterRequest {
    match lanes.next_request(home) {
        Some(Request::Enter(request)) => request,
        other => panic!("expected home {home} to be entered, got {other:?}"),
    }
}

fn deliver_request(lanes: &Lanes, home: usize) -> DeliverRequest {
    match lanes.next_request(home) {
        Some(Request::Deliver(request)) => request,
        other => panic!("expected something for home {home}, got {other:?}"),
    }
}

fn enter(lanes: &mut Lanes, home: usize, answer: EnterAnswer) {
    let request = enter_request(lanes, home);
    lanes.entered(home, &request, answer);
}

/// A router under epoch 5, of which 100 elements were claimed, 40 are covered and
/// routed, and each lane is at place 40.
fn owner() -> Lanes {
    let mut lanes = Lanes::new(partitions());
    lanes.begin_to_load(tenure(5, 100), stored(40, StoredLane { from: 40, chunk_end: None }), 40);
    (0..P).for_each(|home| enter(&mut lanes, home, at(40, still(40))));
    lanes.loaded();
    lanes
}

/// The same, with a chunk of lane 0 on its way from place 40 to 60.
fn owner_with_chunk() -> Lanes {
    let mut lanes = owner();
    lanes.routed_up_to(60);
    lanes.flushed(lane(0), chunk());
    lanes
}

fn is_reload(lanes: &Lanes) -> bool {
    matches!(lanes.need(), Some(Need::Reload(_)))
}

#[test]
fn nothing_is_loaded_or_claimed_before_every_home_is_entered() {
    let mut lanes = Lanes::new(partitions());
    assert!(lanes.next_request(0).is_none(), "nothing is owned");
    lanes.begin_to_load(tenure(5, 100), StoredLanes::none(partitions()), 0);
    enter(&mut lanes, 0, at(7, still(7)));
    assert!(!lanes.are_all_entered());
    enter(&mut lanes, 1, at(0, EnteredLane { was: None, is: 0 }));
    assert!(lanes.are_all_entered());
    assert!(!lanes.may_claim(), "it is not loaded");
    lanes.loaded();
    assert!(lanes.may_claim());
}

#[test]
fn the_least_place_is_where_the_checkpoint_began() {
    let mut lanes = Lanes::new(partitions());
    let first = StoredLane { from: 12, chunk_end: Some(30) };
    lanes.begin_to_load(tenure(5, 100), stored(40, first), 40);
    let request = enter_request(&lanes, 0);
    let bounds = |least| LaneBounds { least, known: None };
    assert_eq!(request.lanes[..2], [bounds(12), bounds(40)]);
    assert_eq!((request.partition, request.epoch, &*request.token), (1, 5, "me"));
    lanes.begin_to_load(tenure(6, 100), StoredLanes::none(partitions()), 0);
    assert_eq!(enter_request(&lanes, 0).lanes[0], bounds(0), "0 before the first checkpoint");
}

#[test]
fn a_committed_checkpoint_raises_the_least_place() {
    let mut lanes = owner_with_chunk();
    assert_eq!(lanes.delivered(&deliver_request(&lanes, 0), &DeliverAnswer::Done), 3);
    let snapshot = lanes.snapshot();
    lanes.resume(tenure(6, 100), false);
    let bounds = LaneBounds { least: 40, known: Some(60) };
    assert_eq!(enter_request(&lanes, 0).lanes[0], bounds, "it is not safe yet");
    lanes.committed(snapshot);
    assert_eq!(enter_request(&lanes, 0).lanes[0].least, 60);
}

#[test]
fn under_a_record_without_a_checkpoint_the_least_place_is_what_is_confirmed() {
    let mut lanes = owner_with_chunk();
    lanes.delivered(&deliver_request(&lanes, 0), &DeliverAnswer::Done);
    lanes.resume(tenure(6, 100), true);
    let bounds = LaneBounds { least: 60, known: Some(60) };
    assert_eq!(enter_request(&lanes, 0).lanes[0], bounds);
}

#[test]
fn a_home_that_has_lost_a_place_is_told_it() {
    let mut lanes = owner();
    lanes.begin_to_load(tenure(6, 100), StoredLanes::none(partitions()), 0);
    assert_eq!(enter_request(&lanes, 1).lanes[3], LaneBounds { least: 0, known: Some(40) });
}

/// What is claimed next has the same places as what was lost.
#[test]
fn a_home_is_not_told_a_place_that_the_partition_s_node_has_lost() {
    let mut lanes = owner();
    let nothing = StoredLane { from: 0, chunk_end: None };
    lanes.begin_to_load(tenure(6, 30), stored(0, nothing), 0);
    assert_eq!(enter_request(&lanes, 0).lanes[0], LaneBounds { least: 0, known: Some(30) });
}

#[test]
fn a_newer_epoch_at_a_home_raises_the_own_one() {
    for mut lanes in [Lanes::new(partitions()), owner()] {
        lanes.begin_to_load(tenure(5, 100), StoredLanes::none(partitions()), 0);
        enter(&mut lanes, 1, EnterAnswer::Newer(9));
        assert_eq!(lanes.need(), Some(&Need::EpochAbove(9)));
        assert!(!lanes.may_claim() && lanes.next_request(0).is_none());
    }
}

#[test]
fn a_place_beyond_the_end_makes_a_new_line() {
    let mut lanes = Lanes::new(partitions());
    lanes.begin_to_load(tenure(5, 100), StoredLanes::none(partitions()), 0);
    enter(&mut lanes, 0, at(100, still(101)));
    assert_eq!(lanes.need(), Some(&Need::NewLine(100)));
    // Under that line the home says that it was set back.
    let line = Line { epoch: 6, place: 100 };
    lanes.begin_to_load(Tenure { line, ..tenure(6, 100) }, StoredLanes::none(partitions()), 0);
    assert_eq!(enter_request(&lanes, 0).line, line);
    enter(&mut lanes, 0, at(100, EnteredLane { was: Some(101), is: 100 }));
    assert_eq!(lanes.need(), None);
    assert_eq!(lanes.take_findings(), Findings { raised: 0, set_back: 1 });
    assert_eq!(lanes.take_findings(), Findings::default());
}

#[test]
fn a_place_that_was_raised_is_counted() {
    let mut lanes = Lanes::new(partitions());
    lanes.begin_to_load(tenure(5, 100), stored(40, StoredLane::default()), 40);
    enter(&mut lanes, 1, at(40, EnteredLane { was: Some(39), is: 40 }));
    assert_eq!(lanes.need(), None);
    assert_eq!(lanes.take_findings(), Findings { raised: 1, set_back: 0 });
}

#[test]
fn of_a_checkpoint_is_kept_what_begins_at_the_lane_s_place() {
    let check = |place, chunk_end, chunk, deltas| {
        let mut lanes = Lanes::new(partitions());
        let first = StoredLane { from: 10, chunk_end };
        lanes.begin_to_load(tenure(5, 100), stored(40, first), 40);
        enter(&mut lanes, 0, at(40, still(place)));
        assert_eq!(lanes.kept(lane(0)), Kept { chunk, deltas }, "{place} {chunk_end:?}");
    };
    check(10, None, false, true);
    check(11, None, false, false);
    check(90, None, false, false);
    check(10, Some(20), true, true);
    check(20, Some(20), false, true);
    // The line has cut the chunk: its deltas are of lists that are no more.
    check(15, Some(20), false, true);
    check(21, Some(20), false, false);
    check(90, Some(20), false, false);
}

#[test]
fn a_chunk_of_the_checkpoint_is_sent_as_it_was() {
    let mut lanes = Lanes::new(partitions());
    let first = StoredLane { from: 10, chunk_end: Some(20) };
    lanes.begin_to_load(tenure(5, 100), stored(40, first), 40);
    (0..P).for_each(|home| enter(&mut lanes, home, at(40, still(if home == 0 { 10 } else { 40 }))));
    lanes.restore_chunk(lane(0), chunk());
    lanes.loaded();
    lanes.routed_up_to(50);
    assert!(!lanes.may_flush(lane(0)), "it has a chunk");
    let request = deliver_request(&lanes, 0);
    assert_eq!((request.from, request.to, &*request.chunk), (10, 20, &chunk()));
    assert_eq!(request.then(), "5 me 20");
    lanes.delivered(&request, &DeliverAnswer::Done);
    assert!(lanes.may_flush(lane(0)) && lanes.are_all_delivered());
}

#[test]
fn a_reload_forgets_what_was_on_its_way() {
    let mut lanes = owner_with_chunk();
    let request = deliver_request(&lanes, 0);
    lanes.begin_to_load(tenure(6, 100), StoredLanes::none(partitions()), 0);
    assert!(lanes.are_all_delivered());
    assert_eq!(lanes.delivered(&request, &DeliverAnswer::Done), 0, "an answer from before");
}

#[test]
fn a_replay_drops_what_a_lane_has() {
    let mut lanes = Lanes::new(partitions());
    let first = StoredLane { from: 10, chunk_end: None };
    lanes.begin_to_load(tenure(5, 100), stored(40, first), 40);
    enter(&mut lanes, 0, at(40, still(70)));
    enter(&mut lanes, 1, at(40, still(90)));
    lanes.loaded();
    let closed = |place| {
        let (open, until) = lanes.open_at(place);
        let closed = partitions().lanes().filter(|lane| !open.contains(*lane));
        (closed.map(Lane::number).collect::<Vec<_>>(), until)
    };
    assert_eq!(closed(40), (vec![0, 8], 70));
    assert_eq!(closed(69), (vec![0, 8], 70));
    assert_eq!(closed(70), (vec![8], 90));
    assert_eq!(closed(90), (vec![], Place::MAX));
}

#[test]
fn a_place_never_goes_back_in_a_replay() {
    let mut lanes = Lanes::new(partitions());
    let first = StoredLane { from: 40, chunk_end: None };
    lanes.begin_to_load(tenure(5, 100), stored(40, first), 40);
    (0..P).for_each(|home| enter(&mut lanes, home, at(40, still(70))));
    lanes.loaded();
    for (routed, may) in [(40, false), (70, false), (71, true)] {
        lanes.routed_up_to(routed);
        assert_eq!(lanes.may_flush(lane(0)), may, "{routed}");
    }
}

#[test]
fn without_an_answer_the_same_is_asked_again() {
    let lanes = owner_with_chunk();
    let (first, second) = (deliver_request(&lanes, 0), deliver_request(&lanes, 0));
    assert_eq!((first.from, first.to, first.epoch), (second.from, second.to, second.epoch));
    assert!(Rc::ptr_eq(&first.chunk, &second.chunk));
}

#[test]
fn a_lane_that_says_the_chunk_s_end_has_it() {
    let mut lanes = owner_with_chunk();
    let request = deliver_request(&lanes, 0);
    assert_eq!(lanes.delivered(&request, &DeliverAnswer::Other("5 me 60".to_owned())), 3);
    assert!(lanes.are_all_delivered() && lanes.may_claim());
}

#[test]
fn a_lane_that_says_anything_else_is_entered_again() {
    for seen in ["", "5 me 59", "6 other 60", "4 me 60"] {
        let mut lanes = owner_with_chunk();
        let request = deliver_request(&lanes, 0);
        assert_eq!(lanes.delivered(&request, &DeliverAnswer::Other(seen.to_owned())), 0);
        assert!(!lanes.are_all_delivered() && !lanes.may_claim(), "{seen}");
        // That home alone, under the same epoch.
        assert_eq!(enter_request(&lanes, 0).epoch, 5);
        assert!(lanes.next_request(1).is_none());
    }
}

#[test]
fn after_a_raised_epoch_every_home_is_entered_before_a_claim() {
    let mut lanes = owner_with_chunk();
    let late = deliver_request(&lanes, 0);
    lanes.resume(tenure(6, 100), false);
    assert!(!lanes.may_claim());
    assert_eq!(lanes.delivered(&late, &DeliverAnswer::Done), 0, "of the epoch before");
    let early = enter_request(&lanes, 0);
    lanes.resume(tenure(7, 100), false);
    lanes.entered(0, &early, at(40, still(40)));
    assert_eq!(enter_request(&lanes, 0).epoch, 7, "that answer was of the epoch before");
    enter(&mut lanes, 0, at(40, still(40)));
    assert!(!lanes.may_claim());
    assert_eq!(deliver_request(&lanes, 0).epoch, 7, "delivers go on where it is entered");
    enter(&mut lanes, 1, at(40, still(40)));
    assert!(lanes.may_claim());
}

#[test]
fn a_place_that_was_entered_again_is_where_it_was_or_where_the_chunk_ends() {
    let check = |was, is, delivered, reload| {
        let mut lanes = owner_with_chunk();
        lanes.resume(tenure(6, 100), false);
        enter(&mut lanes, 0, at(40, EnteredLane { was, is }));
        assert_eq!(lanes.are_all_delivered(), delivered, "{was:?} {is}");
        assert_eq!(is_reload(&lanes), reload, "{was:?} {is}");
    };
    check(Some(40), 40, false, false);
    check(Some(60), 60, true, false);
    // It has lost its places, and was told that from here.
    check(None, 40, false, false);
    check(Some(50), 50, false, true);
    check(Some(61), 61, false, true);
    // It has lost what lies between, which the memory has no more.
    check(Some(30), 40, false, true);
}
