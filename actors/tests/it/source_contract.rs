//! The contract of queue sources, the same tests for each of them; and what the
//! embedded queue does beyond it, on sockets.

mod backpressure;
mod contract;
mod queues;
