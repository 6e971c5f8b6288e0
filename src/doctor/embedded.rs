//! The doctor's look at the embedded queue: whether it is there, and what the
//! gateway that is it tells of producers who push elsewhere.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use psg_actors::settings::{EmbeddedSettings, GatewaySettings, ListenAddress};
use psg_actors::source::redis::doctor::Diagnosis;
use psg_actors::status::model::{self, OtherKeyStatus, Status};

use crate::gateway_client::GatewayClient;
use crate::own_gateway::{OwnGateway, reachable};

/// How long it may take to let us in.
const TIMEOUT: Duration = Duration::from_secs(2);

pub fn look(settings: &GatewaySettings, embedded: &EmbeddedSettings) -> Vec<Diagnosis> {
    let mut findings = vec![presence(embedded)];
    if let Some(status) = status(settings) {
        findings.extend(other_keys(&status));
    }
    findings
}

fn presence(settings: &EmbeddedSettings) -> Diagnosis {
    let place = &settings.listen;
    let reached = match place {
        ListenAddress::Tcp(address) => {
            let address: SocketAddr = reachable(*address);
            TcpStream::connect_timeout(&address, TIMEOUT).map(drop)
        }
        ListenAddress::Unix(path) => UnixStream::connect(path).map(drop),
    };
    let text = format!("no Redis: the gateway itself is the queue, at {place}");
    match reached {
        Ok(()) => Diagnosis::ok("queue", format!("{text}, where somebody listens")),
        Err(error) => Diagnosis::fail(
            "queue",
            format!("{text}, where nobody listens ({error})"),
            "start the gateway, or set Embedded.ListenAddress as it has it",
        ),
    }
}

/// What the gateway says of itself, where it asks for no password.
fn status(settings: &GatewaySettings) -> Option<Status> {
    if settings.http.access.is_some() {
        return None;
    }
    let url = format!("{}{}", OwnGateway::find(&settings.http).ok()?.url(), model::PATH);
    let text = GatewayClient::local().ok()?.get(&url).ok()?.read_to_string().ok()?;
    let status: Status = serde_json::from_str(&text).ok()?;
    (status.queue.source == "embedded" && status.queue.key == settings.pipeline.queue.key)
        .then_some(status)
}

fn other_keys(status: &Status) -> Vec<Diagnosis> {
    let finding = |other: &OtherKeyStatus| {
        let OtherKeyStatus { key, database, pushes, advice, .. } = other;
        let queue = &status.queue.key;
        let text =
            format!("refused: pushes to {key} in database {database} ({pushes}), not {queue}");
        Diagnosis::fail("other keys", text, advice)
    };
    match status.queue.other_keys.as_slice() {
        [] => vec![Diagnosis::ok("other keys", "no producer has pushed to another key")],
        others => others.iter().map(finding).collect(),
    }
}
