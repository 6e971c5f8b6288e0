//! What a shard does beside its work when somebody asks for it: surveys of
//! label values, searches, and the removal of a retired family. In slices, as scrapes
//! are, so that samples do not wait.

use std::collections::VecDeque;

use crossbeam_channel::Sender;
use psg_engine::cardinality::LabelValues;
use psg_engine::store::{Found, RemoveJob, Removed, SearchJob, SurveyJob};

use super::Shard;

/// Series that are looked at before messages have their turn.
const SLICE_SERIES: usize = 1024;

#[derive(Debug)]
pub enum BackgroundJob {
    /// Count label values; the answer has room in its channel.
    Survey(SurveyJob, Sender<LabelValues>),
    /// Look for series; the answer has room in its channel.
    Search(SearchJob, Sender<Found>),
    /// Remove a family; the answer has room in its channel.
    Remove(RemoveJob, Sender<Removed>),
}

/// Those that wait, in the order in which they came.
pub type BackgroundJobs = VecDeque<BackgroundJob>;

impl Shard {
    /// Does a slice of the oldest; false where there is none.
    pub(super) fn background_slice(&mut self) -> bool {
        let Some(job) = self.background.pop_front() else { return false };
        match job {
            BackgroundJob::Survey(mut job, reply) => {
                if self.store.survey_some(&mut job, SLICE_SERIES) {
                    // Who has gone needs no answer.
                    let _ = reply.send(job.finish());
                } else {
                    self.background.push_front(BackgroundJob::Survey(job, reply));
                }
            }
            BackgroundJob::Search(mut job, reply) => {
                let now = self.clock.now();
                if self.store.search_some(&mut job, SLICE_SERIES, now) {
                    let _ = reply.send(job.finish());
                } else {
                    self.background.push_front(BackgroundJob::Search(job, reply));
                }
            }
            BackgroundJob::Remove(mut job, reply) => {
                let is_done = self.store.remove_some(&mut job, SLICE_SERIES);
                self.notify_readers();
                self.publish_live();
                if is_done {
                    let _ = reply.send(job.removed());
                } else {
                    self.background.push_front(BackgroundJob::Remove(job, reply));
                }
            }
        }
        true
    }
}
