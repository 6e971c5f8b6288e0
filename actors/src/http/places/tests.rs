//! Who has to go, as the places are taken.

use super::*;

fn peer(last: u8) -> Peer {
    Peer::new(Some(IpAddr::from([10, 0, 0, last])))
}

fn has_to_go(place: &Place) -> bool {
    place.seat.has_to_go.load(Ordering::SeqCst)
}

/// As if it had waited for so much longer.
fn age(place: &Place, milliseconds: u64) {
    let (awaits, since) = place.seat.state();
    let since = since.checked_sub(milliseconds * 1000).expect("the places are old");
    place.seat.state.store(since << 2 | awaits as u64, Ordering::Relaxed);
}

fn old_places(most: usize) -> Arc<Places> {
    let mut places = Places::new(most);
    let began = Instant::now().checked_sub(Duration::from_secs(3600)).expect("it is up so long");
    Arc::get_mut(&mut places).expect("nobody else has it").began = began;
    places
}

#[test]
fn a_newcomer_gets_the_place_of_who_has_kept_others_waiting_for_longest() {
    let places = old_places(3);
    let all: Vec<Place> = (1..=3).map(|last| Place::take(&places, peer(last))).collect();
    age(&all[1], 500);
    age(&all[2], 100);
    assert!(all.iter().all(|place| !has_to_go(place)));
    let newcomer = Place::take(&places, peer(9));
    assert_eq!([0, 1, 2].map(|place| has_to_go(&all[place])), [false, true, false]);
    assert!(!newcomer.is_reserved());
    let _next = Place::take(&places, peer(9));
    assert!(has_to_go(&all[2]) && !has_to_go(&all[0]), "one for each newcomer");
    assert!(Place::take(&places, peer(9)).is_reserved(), "all others have come this moment");
    let crowded = old_places(3);
    let crowd: Vec<Place> = (0..3).map(|_| Place::take(&crowded, peer(1))).collect();
    assert!(Place::take(&crowded, peer(1)).is_reserved(), "as have those of its own address");
    assert!(!Place::take(&crowded, peer(2)).is_reserved(), "which has more than another");
    assert!(crowd.iter().any(has_to_go));
}

#[test]
fn the_address_with_the_most_connections_makes_room() {
    let places = old_places(4);
    let lone = Place::take(&places, peer(1));
    age(&lone, 60_000);
    let crowd: Vec<Place> = (0..3).map(|_| Place::take(&places, peer(2))).collect();
    crowd.iter().for_each(|place| age(place, 200));
    for _ in 0..3 {
        drop(Place::take(&places, peer(3)));
    }
    assert!(!has_to_go(&lone));
    assert!(crowd.iter().any(has_to_go));
    let six = |last: u16| Peer::new(Some(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last])));
    assert_eq!(six(1), six(2), "a host has a whole network");
}

#[test]
fn who_is_being_served_stays_and_a_newcomer_gets_a_reserved_place() {
    let places = old_places(2);
    let (rendering, reading) = (Place::take(&places, peer(1)), Place::take(&places, peer(2)));
    rendering.awaits(Awaits::Answer);
    reading.awaits(Awaits::Answer);
    reading.has_to_take();
    let newcomer = Place::take(&places, peer(3));
    assert!(newcomer.is_reserved() && newcomer.is_for_one_answer());
    assert!(!has_to_go(&rendering) && !has_to_go(&reading));
    age(&reading, 10_000);
    reading.has_taken(LEAST_TAKEN);
    assert!(Place::take(&places, peer(3)).is_reserved(), "it is not slow");
    age(&reading, 10_000);
    reading.has_taken(LEAST_TAKEN / 2);
    assert!(!Place::take(&places, peer(3)).is_reserved());
    assert!(has_to_go(&reading), "it takes too little");
}

#[test]
fn reserved_places_are_bounded_too() {
    let places = old_places(1);
    let served = Place::take(&places, peer(1));
    served.awaits(Awaits::Answer);
    let crowd: Vec<Place> = (0..RESERVED * 2).map(|_| Place::take(&places, peer(2))).collect();
    assert!(crowd.iter().all(Place::is_reserved));
    assert_eq!(crowd.iter().filter(|place| !has_to_go(place)).count(), RESERVED);
    assert!(!has_to_go(crowd.last().expect("there are some")), "the last may ask");
    drop(crowd);
    drop(served);
    assert_eq!(places.taken.load(Ordering::Relaxed), 0);
    assert!(places.lock().peers.is_empty());
}

#[tokio::test]
async fn after_the_close_only_answers_under_way_are_waited_for() {
    let places = Places::new(8);
    let (idle, served) = (Place::take(&places, peer(1)), Place::take(&places, peer(2)));
    served.awaits(Awaits::Answer);
    places.close();
    assert!(has_to_go(&idle) && !has_to_go(&served));
    assert!(has_to_go(&Place::take(&places, peer(3))), "a newcomer");
    drop(idle);
    served.awaits(Awaits::Request);
    assert!(has_to_go(&served), "its answer was the last");
    let ((), ()) = tokio::join!(places.are_empty(), async { drop(served) });
}
