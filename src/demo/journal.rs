//! The journal: the last lines of the log while the view has the terminal, for
//! when something goes wrong.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

const RECORDS: usize = 20;

/// Keeps the last records; copies keep the same.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<VecDeque<String>>>);

/// Each write is one record.
impl io::Write for Journal {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let mut records = self.0.lock();
        if records.len() == RECORDS {
            records.pop_front();
        }
        records.push_back(String::from_utf8_lossy(record).into_owned());
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Journal {
    type Writer = Journal;

    fn make_writer(&self) -> Journal {
        self.clone()
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lock().iter().try_for_each(|record| f.write_str(record))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_last_records_are_kept() {
        let journal = Journal::default();
        for number in 0..RECORDS + 5 {
            let record = format!("{number}\n");
            journal.make_writer().write_all(record.as_bytes()).expect("it is in memory");
        }
        let text = journal.to_string();
        assert!(text.starts_with("5\n6\n") && text.ends_with("24\n"), "{text}");
    }
}
