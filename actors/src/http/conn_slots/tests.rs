//! Who has to go, as the slots are taken.

use super::*;

fn peer(last: u8) -> PeerNetwork {
    PeerNetwork::new(Some(IpAddr::from([10, 0, 0, last])))
}

fn has_to_go(slot: &ConnSlot) -> bool {
    slot.record.has_to_go.load(Ordering::SeqCst)
}

/// As if it had waited for so much longer.
fn age(slot: &ConnSlot, milliseconds: u64) {
    let (awaits, since) = slot.record.state();
    let since = since.checked_sub(milliseconds * 1000).expect("the places are old");
    slot.record.state.store(since << 2 | awaits as u64, Ordering::Relaxed);
}

fn old_slots(most: usize) -> Arc<ConnSlots> {
    let mut slots = ConnSlots::new(most);
    let began = Instant::now().checked_sub(Duration::from_secs(3600)).expect("it is up so long");
    Arc::get_mut(&mut slots).expect("nobody else has it").began = began;
    slots
}

#[test]
fn a_newcomer_gets_the_place_of_who_has_kept_others_waiting_for_longest() {
    let slots = old_slots(3);
    let all: Vec<ConnSlot> = (1..=3).map(|last| ConnSlot::take(&slots, peer(last))).collect();
    age(&all[1], 500);
    age(&all[2], 100);
    assert!(all.iter().all(|slot| !has_to_go(slot)));
    let newcomer = ConnSlot::take(&slots, peer(9));
    assert_eq!([0, 1, 2].map(|slot| has_to_go(&all[slot])), [false, true, false]);
    assert!(!newcomer.is_reserved());
    let _next = ConnSlot::take(&slots, peer(9));
    assert!(has_to_go(&all[2]) && !has_to_go(&all[0]), "one for each newcomer");
    assert!(ConnSlot::take(&slots, peer(9)).is_reserved(), "all others have come this moment");
    let crowded = old_slots(3);
    let crowd: Vec<ConnSlot> = (0..3).map(|_| ConnSlot::take(&crowded, peer(1))).collect();
    assert!(ConnSlot::take(&crowded, peer(1)).is_reserved(), "as have those of its own address");
    assert!(!ConnSlot::take(&crowded, peer(2)).is_reserved(), "which has more than another");
    assert!(crowd.iter().any(has_to_go));
}

#[test]
fn the_address_with_the_most_connections_makes_room() {
    let slots = old_slots(4);
    let lone = ConnSlot::take(&slots, peer(1));
    age(&lone, 60_000);
    let crowd: Vec<ConnSlot> = (0..3).map(|_| ConnSlot::take(&slots, peer(2))).collect();
    crowd.iter().for_each(|slot| age(slot, 200));
    for _ in 0..3 {
        drop(ConnSlot::take(&slots, peer(3)));
    }
    assert!(!has_to_go(&lone));
    assert!(crowd.iter().any(has_to_go));
    let six =
        |last: u16| PeerNetwork::new(Some(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last])));
    assert_eq!(six(1), six(2), "a host has a whole network");
}

#[test]
fn who_is_being_served_stays_and_a_newcomer_gets_a_reserved_place() {
    let slots = old_slots(2);
    let (rendering, reading) = (ConnSlot::take(&slots, peer(1)), ConnSlot::take(&slots, peer(2)));
    rendering.awaits(Awaits::Answer);
    reading.awaits(Awaits::Answer);
    reading.has_to_take();
    let newcomer = ConnSlot::take(&slots, peer(3));
    assert!(newcomer.is_reserved() && newcomer.is_for_one_answer());
    assert!(!has_to_go(&rendering) && !has_to_go(&reading));
    age(&reading, 10_000);
    reading.has_taken(LEAST_TAKEN);
    assert!(ConnSlot::take(&slots, peer(3)).is_reserved(), "it is not slow");
    age(&reading, 10_000);
    reading.has_taken(LEAST_TAKEN / 2);
    assert!(!ConnSlot::take(&slots, peer(3)).is_reserved());
    assert!(has_to_go(&reading), "it takes too little");
}

#[test]
fn reserved_places_are_bounded_too() {
    let slots = old_slots(1);
    let served = ConnSlot::take(&slots, peer(1));
    served.awaits(Awaits::Answer);
    let crowd: Vec<ConnSlot> = (0..RESERVED * 2).map(|_| ConnSlot::take(&slots, peer(2))).collect();
    assert!(crowd.iter().all(ConnSlot::is_reserved));
    assert_eq!(crowd.iter().filter(|slot| !has_to_go(slot)).count(), RESERVED);
    assert!(!has_to_go(crowd.last().expect("there are some")), "the last may ask");
    drop(crowd);
    drop(served);
    assert_eq!(slots.taken.load(Ordering::Relaxed), 0);
    assert!(slots.table.lock().peers.is_empty());
}

#[tokio::test]
async fn after_the_close_only_answers_under_way_are_waited_for() {
    let slots = ConnSlots::new(8);
    let (idle, served) = (ConnSlot::take(&slots, peer(1)), ConnSlot::take(&slots, peer(2)));
    served.awaits(Awaits::Answer);
    slots.close();
    assert!(has_to_go(&idle) && !has_to_go(&served));
    assert!(has_to_go(&ConnSlot::take(&slots, peer(3))), "a newcomer");
    drop(idle);
    served.awaits(Awaits::Request);
    assert!(has_to_go(&served), "its answer was the last");
    let ((), ()) = tokio::join!(slots.are_empty(), async { drop(served) });
}
