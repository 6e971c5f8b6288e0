//! The watch: a thread that asks a gateway once a second how it does.

use std::io::{self, BufReader};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use psg_actors::status::model::{self, Status};

use super::excerpt::Excerpt;
use crate::gateway_client::GatewayClient;
use crate::stop_flag::StopFlag;

const PERIOD: Duration = Duration::from_secs(1);

/// The largest status that is read: far more than there is.
const LARGEST_STATUS: u64 = 16 << 20;

#[derive(Debug)]
pub struct Poll {
    pub status: Result<Box<Status>, String>,
    /// Lines of `/metrics`, where these were asked for and came.
    pub excerpt: Option<Vec<String>>,
}

/// Looks at the gateway at `url` from now on until `stop` is set or the receiver
/// is dropped.
pub fn watch(
    url: &str,
    client: GatewayClient,
    with_excerpt: bool,
    stop: &StopFlag,
) -> io::Result<Receiver<Poll>> {
    // Nobody is served by polls that wait.
    let (sender, polls) = sync_channel(1);
    let mut poller =
        Poller { client, url: url.to_owned(), excerpt: with_excerpt.then(Excerpt::default) };
    let stop = stop.clone();
    thread::Builder::new().name("watch".into()).spawn(move || {
        let mut next = Instant::now();
        while sender.send(poller.poll()).is_ok() {
            next = (next + PERIOD).max(Instant::now());
            if stop.wait(next - Instant::now()) {
                return;
            }
        }
    })?;
    Ok(polls)
}

struct Poller {
    client: GatewayClient,
    url: String,
    excerpt: Option<Excerpt>,
}

impl Poller {
    fn poll(&mut self) -> Poll {
        let status = self.status();
        let excerpt = status.is_ok().then(|| self.pick()).flatten();
        Poll { status: status.map(Box::new), excerpt }
    }

    fn status(&self) -> Result<Status, String> {
        let url = format!("{}{}", self.url, model::PATH);
        let mut answer = self.client.get(&url)?;
        let text = answer.with_config().limit(LARGEST_STATUS).read_to_string();
        let text = text.map_err(|error| format!("{url}: {error}"))?;
        serde_json::from_str(&text)
            .map_err(|error| format!("{url}: expected a gateway's status, got something else ({error}): another server may be there"))
    }

    /// An excerpt is a nicety: where it can't be had, the last one stays.
    fn pick(&mut self) -> Option<Vec<String>> {
        let excerpt = self.excerpt.as_mut()?;
        let mut answer = self.client.get(&format!("{}/metrics", self.url)).ok()?;
        excerpt.pick(BufReader::new(answer.as_reader())).ok()
    }
}
