//! Partitions: one queue over many gateways, exactly once.
//!
//! ```text
//! producers ─► K, K:1 … ─► router of each ─► {K}:home of each metric ─► its gateway
//! ```
//!
//! Producers push to any partition. The *router* of a partition owns its queue as a
//! gateway owns one ([`once`](crate::source::redis::once)); what it keeps safe are
//! *deltas*: what it has added up and not delivered yet. It delivers them to *homes*. A
//! home is the queue of an exactly-once gateway as it ever was, which shows the metrics
//! that have their home there, by name; its elements are frames of deltas.
//!
//! A *place* in a partition's stream is a number: so many elements were ever claimed
//! before it. Each home has eight *lanes* for each partition. For each lane it keeps,
//! beside its queue, the place up to which it has the partition's samples of that lane,
//! and under which epoch and token that was written
//! ([`homes`](crate::source::redis::homes)). What is delivered to a lane at once is a
//! *chunk*: it moves the place from where it was to the chunk's end, in the same script
//! that pushes its frames.
//!
//! # Rules
//!
//! *Enter.* After the epoch was raised, for whatever reason, the router enters all homes:
//! it writes its epoch, which has to be higher than what is there, and is told the
//! places. Nothing is claimed before all are entered under the present epoch. Where a
//! home has seen a higher epoch, the own history was lost, and the epoch is raised above
//! it; only the record of the partition displaces an owner, never a home.
//!
//! *Places put right.* A place beyond what was ever claimed means that the partition's
//! node went back: the end of what it has is noted in the record as the *line*, with the
//! epoch, and every place that was written under an earlier epoch is set back to it. A
//! place below the *least* from which the router can still send (where the deltas of its
//! last checkpoint begin) means that the home has lost something for good: it is raised.
//! A place that was deleted is what the router knows it to be.
//!
//! *Load.* A lane goes on from its place: what of the checkpoint begins there or behind
//! it is kept, and of the elements that are read again those before it are dropped.
//!
//! *Flush.* Each `Redis.PartitionFlushInterval`, at 256 KiB, and at a stop a lane that
//! has no chunk on its way makes one of its deltas. From then on it stays as it is, also
//! in checkpoints, until its home has it: any owner that finds its end knows that it is
//! there.
//!
//! *Deliver.* Without an answer the same is sent again. A lane that says the chunk's end
//! has it; one that says something else is entered again, and only the places that are
//! expected go on: else all is loaded again. Errors, a full home among them, are tried
//! again later. None of this ends a process.
//!
//! *Checkpoint.* It has all deltas and chunks, with the place where each begins, so it
//! waits for no home, and neither does the lease. A lane with 4 MiB of deltas, on top of
//! its chunk, holds up the reader alone.
//!
//! *Stop.* Homes have 5 s to take what there is; the rest is in the last checkpoint.
//!
//! # What proves it
//!
//! Each rule has a test in `lanes/rules.rs`, and an entry in `tests/mutants/rules.toml`;
//! `lanes/simulation.rs` tries them all on random schedules of faults.
//!
//! # The modules
//!
//! `lanes` is the protocol with the homes, pure, and `stored_lanes` what a checkpoint says
//! of it. `shared` is what the parts of a router have in common: `router`, the loop;
//! `deliverer`, which talks to one home; `memory`, which the owner protocol keeps safe.
//! What is counted is in
//! [`partitions`](crate::self_metrics::partitions).

mod stored_lanes;
mod lanes;
mod shared;
mod deliverer;
mod memory;
mod router;

pub use router::{Router, RouterSettings};
