//! The view model: all that a view shows, and nothing of how.

use psg_actors::status::model::Status;
use psg_engine::printable::{LONG, printable};

use super::poll::Poll;

#[derive(Debug, Clone, Default)]
pub struct ViewModel {
    /// What the view is of, in a word.
    pub name: String,
    /// Where the gateway's HTTP side is, without a slash at the end.
    pub url: String,
    pub hints: Vec<String>,
    pub status: Option<Status>,
    pub trouble: Option<String>,
    /// Lines of `/metrics`; `None` where the view does not ask for them.
    pub excerpt: Option<Vec<String>>,
}

impl ViewModel {
    /// Takes over what a poll has found. What it has not found stays as it was.
    pub fn update(&mut self, poll: Poll) {
        match poll.status {
            Ok(status) => {
                self.status = Some(*status);
                self.trouble = None;
            }
            Err(error) => self.trouble = Some(error),
        }
        if poll.excerpt.is_some() {
            self.excerpt = poll.excerpt;
        }
    }

    /// What is wrong, if anything is: with the way to the gateway, or with the
    /// gateway.
    pub fn wrong(&self) -> Option<&str> {
        let unready = || self.status.as_ref()?.unready.as_deref();
        self.trouble.as_deref().or_else(unready)
    }
}

/// `text` as the view shows it: what a producer sends can't paint on the
/// screen.
pub fn shown(text: &str) -> String {
    printable(text, LONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(unready: Option<&str>) -> Poll {
        let status = Status { unready: unready.map(str::to_owned), ..Status::default() };
        Poll { status: Ok(Box::new(status)), excerpt: Some(vec!["a 1".into()]) }
    }

    fn failed() -> Poll {
        Poll { status: Err("refused".into()), excerpt: None }
    }

    #[test]
    fn what_was_seen_stays_when_the_gateway_goes() {
        let mut model = ViewModel::default();
        assert_eq!(model.wrong(), None);
        model.update(ok(Some("no redis")));
        assert_eq!(model.wrong(), Some("no redis"));
        model.update(failed());
        assert_eq!(model.wrong(), Some("refused"));
        assert!(model.status.is_some());
        assert_eq!(model.excerpt.as_deref(), Some(&["a 1".to_owned()][..]));
        model.update(ok(None));
        assert_eq!(model.wrong(), None);
    }
}
