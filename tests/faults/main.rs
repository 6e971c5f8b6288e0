//! What is slow, hostile, away or killed: the gateway goes on or ends as it
//! should, and exactly-once delivery counts each element once whatever happens.

mod outages;
mod reaching;
mod nodes;
mod trickle;
mod forged;

mod excess;
mod hostile;
mod slow;
mod crowd;
mod pushes;

mod once;
mod checkpoint;
mod record_lost;
mod chaos;
mod partitions;
mod repartition;
