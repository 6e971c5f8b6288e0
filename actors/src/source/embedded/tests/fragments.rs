//! A conversation means the same in whatever pieces it arrives.

use proptest::prelude::*;

use super::super::session::Next;
use super::{Rig, packed};

/// Everything that is answered, and everything that is in the queue, for bytes
/// that arrive in pieces.
fn outcome(bytes: &[u8], cuts: &[usize]) -> (String, Vec<String>, bool) {
    let rig = Rig::new();
    let mut client = rig.client();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let mut kept: Vec<u8> = Vec::new();
    for piece in cuts.windows(2) {
        kept.extend(&bytes[piece[0]..piece[1]]);
        loop {
            let (used, next) = client.session.feed(&kept);
            kept.drain(..used);
            match next {
                Next::Read => break,
                Next::Send => {}
                Next::Close => return (client.answers(), rig.taken(), true),
                Next::Pause(_) | Next::Wait(_) => panic!("{next:?}"),
            }
        }
    }
    (client.answers(), rig.taken(), false)
}

fn any_command() -> impl Strategy<Value = Vec<u8>> {
    let element = prop_oneof![
        "[a-z]{0,8}".prop_map(String::from),
        (990_usize..1010).prop_map(|length| "e".repeat(length)),
        (0_usize..5000).prop_map(|length| "E".repeat(length)),
    ];
    let push = ("(l|L|r)(push|PUSH)(x|)", "(q|other)", prop::collection::vec(element, 0..5));
    let push = push.prop_map(|(name, key, elements)| {
        let words: Vec<String> = [vec![name, key], elements].concat();
        packed(&words)
    });
    let others = [
        "MULTI",
        "EXEC",
        "DISCARD",
        "PING",
        "LLEN q",
        "SUBSCRIBE c",
        "UNSUBSCRIBE",
        "HELLO 3",
        "HELLO 2",
        "RESET",
        "CLIENT REPLY SKIP",
        "SELECT 1",
        "SELECT 0",
        "FROB",
    ];
    let other = prop::sample::select(others.to_vec()).prop_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        packed(&words)
    });
    let inline = prop::sample::select(vec!["PING\r\n", "LPUSH q 'a b' \"c\"\n", "\r\n", "EXEC\n"]);
    let noise = prop::collection::vec(any::<u8>(), 1..5);
    prop_oneof![
        8 => push,
        6 => other,
        1 => inline.prop_map(|line| line.as_bytes().to_vec()),
        1 => noise,
    ]
}

proptest! {
    #[test]
    fn pieces_change_nothing(
        commands in prop::collection::vec(any_command(), 0..30),
        cuts in prop::collection::vec(any::<usize>(), 0..40),
    ) {
        let bytes = commands.concat();
        prop_assert_eq!(outcome(&bytes, &[]), outcome(&bytes, &cuts));
    }
}
