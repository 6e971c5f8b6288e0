//! A conversation with the embedded queue: in whatever pieces it arrives, the
//! same is answered and the same is queued; who has not logged in queues
//! nothing; and a client leaves little in memory.

use psg_actors::settings::{Login, Secret};
use psg_actors::source::embedded::offline::{MAX_ELEMENT, Offline};
use psg_actors::source::embedded::request::MAX_INLINE_BYTES;

/// Small enough that pushes are refused for want of room.
const QUEUE_BYTES: usize = 16 * 1024;

/// What came of a conversation.
#[derive(Debug, PartialEq)]
struct Outcome {
    answers: Vec<u8>,
    taken: Vec<(Vec<u8>, u64)>,
    is_closed: bool,
}

/// The first byte says whether a password is asked for, the second how many
/// bytes arrive at once, the rest is what arrives.
pub fn check(data: &[u8]) {
    let [login, piece, bytes @ ..] = data else { return };
    let has_login = login % 2 == 1;
    let expected = converse(bytes, bytes.len().max(1), has_login);
    // What INFO says changes with the time.
    let is_steady = !bytes.to_ascii_lowercase().windows(4).any(|word| word == b"info");
    for piece in [1, usize::from(*piece).max(1)] {
        let found = converse(bytes, piece, has_login);
        assert_eq!(found.taken, expected.taken, "right: in one piece");
        assert!(!is_steady || found == expected, "{found:?}, in one piece {expected:?}");
    }
    let pushed: usize = expected.taken.iter().map(|(element, _)| element.len()).sum();
    assert!(pushed <= bytes.len(), "more came out than went in");
    for (element, length) in &expected.taken {
        assert!(element.len() as u64 <= *length && element.len() <= MAX_ELEMENT);
    }
    let knows_the_password = bytes.windows(6).any(|word| word == b"secret");
    assert!(!has_login || knows_the_password || expected.taken.is_empty(), "without a password");
}

fn converse(bytes: &[u8], piece: usize, has_login: bool) -> Outcome {
    let login = has_login.then(|| Login { user: None, password: Secret::new("secret") });
    let queue = Offline::new(QUEUE_BYTES, login);
    let mut client = queue.client();
    for piece in bytes.chunks(piece) {
        client.say(piece);
        assert!(client.is_closed() || client.unused() <= MAX_INLINE_BYTES);
    }
    let (answers, is_closed) = (client.answers().to_vec(), client.is_closed());
    Outcome { answers, taken: queue.taken(), is_closed }
}
