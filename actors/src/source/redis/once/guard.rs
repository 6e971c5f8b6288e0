//! The guard of at-most-once delivery: it must not start where exactly-once
//! delivery has left elements that only it knows how to count once.

use redis::cmd;

use super::keys::Keys;
use super::record::{ListPosition, Revision};
use crate::source::redis::bounded::SMALL_REPLY;
use crate::source::redis::decoder::Reply;
use crate::source::redis::error::{io_failed, protocol_broken};
use crate::source::redis::replies::ReplyStream;
use crate::source::{Slice, SourceError};

/// Why the queue may not be popped from, if it may not: lists are claimed whose
/// elements no checkpoint covers. Asks the server; no reply may be outstanding.
/// Who may not ask is let through: rights to pop alone have never claimed.
pub async fn refuse_uncovered(
    replies: &mut ReplyStream,
    queue: &str,
) -> Result<Option<String>, SourceError> {
    let keys = Keys::beside(queue);
    let ask = cmd("HMGET").arg(&keys.owner).arg("tip").arg("base").take();
    replies.request(&ask.get_packed_command());
    let mut elements = Vec::new();
    loop {
        let received = replies.receive_whole(&mut elements, SMALL_REPLY).await;
        received.map_err(|cause| io_failed("asking for claimed lists", &cause))?;
        let reply = replies.next(&mut elements).map_err(|cause| protocol_broken(&cause))?;
        match reply {
            None => {}
            Some(Reply::Elements(2)) => {
                let text = |element: &Slice| {
                    String::from_utf8_lossy(&replies.bytes()[element.range()]).into_owned()
                };
                return Ok(refusal(&keys, &text(&elements[0]), &text(&elements[1])));
            }
            Some(Reply::Elements(_) | Reply::Nil | Reply::Error(_)) => return Ok(None),
        }
    }
}

/// What the words of the owner hash say against popping, if anything.
pub fn refusal(keys: &Keys, tip: &str, base: &str) -> Option<String> {
    let (tip, base): (Revision, ListPosition) = (tip.parse().ok()?, base.parse().ok()?);
    (tip.number >= base.list).then(|| {
        let (owner, first, last) = (&keys.owner, keys.list(base.list), keys.list(tip.number));
        format!(
            "Redis.Delivery is at-most-once, but {owner} says that {first} to {last} were claimed \
             by exactly-once delivery and are not covered: start it with exactly-once and stop it \
             cleanly first"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_behind_the_base_refuse() {
        let check = |tip: &str, base: &str, refused: bool| {
            assert_eq!(refusal(&Keys::beside("q"), tip, base).is_some(), refused, "{tip} {base}");
        };
        check("4-a", "5:0", false);
        check("5-a", "5:0", true);
        check("5-a", "5:7", true);
        check("9-a", "5:0", true);
        check("odd", "5:0", false);
    }
}
