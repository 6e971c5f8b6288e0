//! Exactly-once delivery from a Redis list.
//!
//! Nothing is popped: the backlog is set aside, read, and unlinked when its effect is
//! safe. At any time Redis holds a consistent prefix, which is a checkpoint and the
//! lists that it does not cover; who loads it counts each element once.
//!
//! # What Redis holds
//!
//! All keys share the cluster slot of the queue `q`, so that one script may touch all
//! of them (`keys`).
//!
//! - `q`, the list that producers push to;
//! - `{q}:work:<n>`, the claimed lists;
//! - `{q}:state`, a hash with the segments of the state, each under a field that names
//!   the version which wrote it;
//! - `{q}:owner`, the hash with the *record* (`record`): the *version* of the last
//!   checkpoint and its *index*, which says where each segment is; its *base*, the
//!   position in the claimed lists that it covers; its *head*, what belongs to all
//!   segments; the *tip*, the list that was claimed last; and who owns the queue: an
//!   *epoch*, which only rises, the owner's random *token*, and the deadline of its
//!   lease. Version and tip bear a nonce beside their number, so that two who took
//!   the same number can be distinguished.
//!
//! # Rules
//!
//! *Claim.* A script renames the queue's list to `{q}:work:<n>` and writes `n` as the
//! tip; producers go on into a new list. It compares the tip, so no number is used
//! twice.
//!
//! *Read.* A claimed list never changes at its head, so pages are addressed from there
//! by the length that it had when it was claimed (`ledger`): `LRANGE`, several in
//! flight, the oldest element first. Pages are large, since for each of them Redis
//! walks over all that was read and is not trimmed yet. A page begins with its newest
//! element and is routed from its oldest, so it is needed whole; nobody knows before
//! how large its elements are, so only its last `Redis.MaxBytesInFlight` are held while
//! it comes in. Where that is not all of it, those are routed, and the rest is asked
//! for again in smaller pages. A page that is shorter than asked means that somebody
//! else was at work: the gateway reloads.
//!
//! *One reader, one connection.* Claims, pages, renewals and commits go over one
//! connection, so each reply says what holds at its point of one order; version and
//! tip are read back with each. There is one reader because a replay has to give the
//! same bits: a sum of floats in another order may be smaller by one ulp, which
//! Prometheus takes for a counter reset.
//!
//! *Fence.* Each script compares epoch and token before it does anything
//! (`scripts/fence.lua`). The owner raises the epoch with each connection and each
//! reload, so whatever is still under way from before is refused, its own requests
//! included.
//!
//! *Owner and lease.* The owner renews its lease with all else that it asks. A standby
//! takes over when the record has not changed for the length of a lease by its own
//! clock (`watch`), or at once where the queue was given back, or where the token says
//! that its process ran on this machine and the kernel knows no such process any more
//! (`holder`). It compares the deadline that it saw, too, since a renewal may have come
//! in between. `/metrics` is answered only while less than a lease has passed since the
//! last granted renewal was *sent*, by a clock that goes on while the machine is
//! suspended (`crate::serving_gate`); that is asked before a scrape, after the last
//! shard has answered, and before each piece that is sent. So two never show totals at
//! the same time. Who finds another token in the record ends before anything else.
//!
//! Where the reader is held up for half a lease, by full inboxes or a large state, the
//! *keeper* (`lease`) renews over a connection of its own: a gateway that works does
//! not lose its queue for being busy. The keeper decides nothing else.
//!
//! *Checkpoint.* After a page the reader puts a snapshot into every shard's inbox and
//! goes on: the snapshot is a barrier, it has what was routed before it and no more.
//! Segments that changed are *staged* by small scripts under fields that bear the new
//! version; one *commit* writes version, index, base and head, unlinks the lists that
//! are covered and trims the one that is covered in part. It runs at `maxmemory` too,
//! since there only it frees memory. Then the fields that were replaced are *swept*, in
//! slices. A checkpoint that has begun is finished, or the memory is reloaded. Refused
//! samples that it covers are written to the dead letters before it commits.
//!
//! *Unknown outcome.* After a cut, a new connection raises the epoch and reads the
//! record. For a commit and for a claim in doubt the own nonce means done and the old
//! value means never; anything else means that Redis went on without this process, or
//! back: reload (`verdict`).
//!
//! *Reload.* The reader forgets what it knows of series, the shards drop theirs, the
//! last checkpoint is loaded, and the lists are read from its base on. `/metrics`
//! answers 503 and nothing expires until every list up to the tip is applied. A list
//! or a segment that is missing in two loads of the same version and tip ends the
//! gateway.
//!
//! *Partitions.* An owner may own the whole queue, or of one that is split a router or a
//! home (`part`); a process takes one of several that is free (`candidates`). A router's
//! record has more: `at`, the *place* of the base, which says how many elements were ever
//! claimed before it; `line`, up to which place the stream is what it was under earlier
//! epochs; and for each claimed list `time:<n>`, when it was claimed, so that a replay
//! gives the same. Records of a queue that is split note its `layout`, and those of
//! routers are of a format that a gateway which knows none of this does not read. Who is
//! told another number of partitions ends before anything is written.
//!
//! *Damage.* Anybody may write into Redis. All that is read of the owner hash is judged
//! by `stored` before anything is written: numbers below 2^52, spelt as a gateway spells
//! them, that fit each other, and index and head where there is state. What does not
//! pass ends the start; while the record is held here, it is restored. Scripts count
//! over ranges whose length they are given and check: one that counts in doubles beyond
//! 2^53 never ends, and nothing but SIGKILL would end Redis then.
//!
//! *A record that has gone* (`recovering`). Where the owner hash alone was deleted, its
//! holder writes it again as it was, once a script has found every list and every
//! segment that it speaks of. Where more has gone, the memory is the better copy and is
//! written as a whole; lists that were not read keep their order under new numbers, and
//! nothing is read before the first checkpoint of the new record. A holder whose lease
//! is over may have been displaced, so it leaves that for half a lease to the holder of
//! today. A gateway that starts and finds state or lists without a record ends: nobody
//! knows any more what they cover.
//!
//! *Refusals.* A Redis before 7, one that may evict the queue, and a key that no other
//! can share a slot with are refused before anything is touched (`preflight`). A
//! gateway with at-most-once delivery does not start where claimed lists are not
//! covered (`guard`).
//!
//! # What proves it
//!
//! `tests/mutants/rules.toml` lists the rules, each with how it is taken away and the
//! test that has to notice; `tests/mutants/run` tries it. Some rules cover for each
//! other: without the verdict on a record that went back, what the next script reads
//! back leads to the same reload, and only the verdict's own test notices.
//!
//! # The modules
//!
//! Pure: `keys`, `part`, `record`, `stored`, `ledger`, `verdict`, `watch`, `preflight`, and
//! `checkpoint_plan`, which leads from a snapshot to a commit; `scripts` are the Lua
//! scripts. `link` is the owner's connection, `access` how it is made, `context` what all
//! stages work with, `interruption` what interrupts them, `transition` where a step leads. [`OnceSource`] holds the `stage`
//! and alone acts on what comes of its steps: `standby`, `loading`, and `owned`, which is
//! what an owner knows, with `owning` (claims and pages), `saving` (checkpoints),
//! `resuming` (after a cut) and `recovering`. What is kept safe is a [`Memory`]: that of
//! the shards is in `totals`. `repartition` changes how many partitions there are, while
//! nobody owns any.
//!
//! Nothing here is one in a process: keys, reporter and settings are arguments, so that
//! one process may own several queues.

mod keys;
mod part;
mod record;
mod stored;
mod scripts;
mod ledger;
mod memory;
mod totals;
mod verdict;
mod watch;
mod holder;
mod checkpoint_plan;
mod preflight;
mod link;
mod lease;
mod interruption;
mod access;
mod context;
mod settings;
mod transition;
mod stage;
mod owned;
mod once_source;
mod standby;
mod candidates;
mod loading;
mod owning;
mod saving;
mod resuming;
mod recovering;
mod guard;
mod repartition;

pub(super) use access::Candidate;
pub use guard::refusal as uncovered;
pub(super) use guard::refuse_uncovered;
pub use keys::Keys;
pub use lease::Holding;
pub(super) use lease::LeaseKeeper;
pub use memory::{
    Demand, LoadFailure, Memory, MemoryGone, Ownership, Snapshot, StoredState, Taking,
};
pub use once_source::OnceSource;
pub use part::{Duty, OtherLayout, Part};
pub(super) use preflight::{check_server, warning_of_pops};
pub use record::{Layout, Line, NOTHING, Record, StreamPosition};
pub use repartition::{RepartitionError, Repartitioned, repartition};
pub use settings::{OnceSettings, ShutdownHandshake};
pub use stored::{Damage, Expected, FIELDS, HeadCheck, Misfit, OF_OWNER, Stored};
pub use totals::check_head as check_head_of_totals;
pub(super) use watch::Owner;
