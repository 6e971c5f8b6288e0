//! The part of a queue that an owner has: all of it, or where it is split into
//! partitions, the routing of one, or the home of one. What a record says of that.

use psg_engine::partition::Partitions;

use super::record::Layout;

/// What an owner owns of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// What it does.
    pub duty: Duty,
    /// Which of the partitions.
    pub partition: usize,
    /// How many there are.
    pub partitions: Partitions,
}

/// What an owner does with the elements of its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Adds them to totals: the queue has one partition.
    Whole,
    /// Sends what they add up to on to the homes.
    Router,
    /// Adds what routers send to totals.
    Home,
}

/// The stored queue is split otherwise than this gateway is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is of a queue with {stored} partition{}, Redis.MetricQueuePartitions is {told}: stop all \
     gateways and run `prom-stream-gateway repartition --to {told}`, or set it to {stored}",
    if *stored == 1 { "" } else { "s" }
)]
pub struct OtherLayout {
    /// As the record notes it.
    pub stored: usize,
    /// As this gateway is told.
    pub told: usize,
}

impl Part {
    /// The whole of a queue with one partition.
    pub const WHOLE: Part = Part { duty: Duty::Whole, partition: 0, partitions: Partitions::ONE };

    /// Whether places in the queue count: those of a router alone.
    pub fn has_places(self) -> bool {
        match self.duty {
            Duty::Router => true,
            Duty::Whole | Duty::Home => false,
        }
    }

    /// What a record is to note that was never written before.
    pub fn first_layout(self) -> Option<Layout> {
        match self.duty {
            Duty::Whole => None,
            Duty::Router | Duty::Home => {
                Some(Layout { generation: 1, partitions: self.partitions })
            }
        }
    }

    /// Whether a record that notes `layout` is one of this queue as it is split.
    pub fn check(self, layout: Option<Layout>) -> Result<(), OtherLayout> {
        let stored = layout.map_or(Partitions::ONE, |layout| layout.partitions);
        if stored == self.partitions {
            Ok(())
        } else {
            Err(OtherLayout { stored: stored.get(), told: self.partitions.get() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_of_partitions_is_refused_with_what_to_run() {
        let count = Partitions::new(3).unwrap();
        let layout = Some(Layout { generation: 7, partitions: count });
        let three = Part { duty: Duty::Home, partition: 2, partitions: count };
        assert_eq!(three.check(layout), Ok(()));
        assert_eq!(Part::WHOLE.check(None), Ok(()));
        let refused = three.check(None).unwrap_err().to_string();
        assert!(refused.contains("1 partition,") && refused.contains("repartition --to 3"));
        let refused = Part::WHOLE.check(layout).unwrap_err().to_string();
        assert!(refused.contains("3 partitions,") && refused.contains("repartition --to 1"));
    }
}
