//! The stage: a gateway and a load, each on threads of this process. They are
//! ended in flow order, so that all that was pushed is counted.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

use super::REDIS_PORT;
use crate::app::{self, Listening};
use crate::config::{self, Config, EffectiveSetting};
use crate::load;
use crate::stop_flag::StopFlag;

/// The port where the gateway listens by default.
const HTTP_PORT: u16 = 9091;

/// What runs behind the view.
pub struct Stage {
    /// Where the gateway answers HTTP.
    pub http: SocketAddr,
    pub queue: SocketAddr,
    gateway: Gateway,
    load: JoinHandle<Result<(), String>>,
    end_load: StopFlag,
}

struct Gateway {
    thread: JoinHandle<io::Result<()>>,
    end: oneshot::Sender<()>,
}

impl Stage {
    /// Starts both; `stop` is set where one of them ends by itself.
    pub fn open(rate: u64, stop: &StopFlag) -> Result<Self, String> {
        // Somebody may take a port between the look at it and the listening.
        let usual = Gateway::start([REDIS_PORT, HTTP_PORT].map(port_or_any), stop);
        let (gateway, listening) = usual.or_else(|_| Gateway::start([0, 0], stop))?;
        let end_load = StopFlag::default();
        let load = start_load(listening.queue, rate, end_load.clone(), stop.clone())?;
        Ok(Self { http: listening.http, queue: listening.queue, gateway, load, end_load })
    }

    /// Ends the load, then the gateway; says what went wrong with either.
    pub fn close(self) -> Result<(), String> {
        self.end_load.set();
        let load = joined("the load", self.load).and_then(|outcome| outcome);
        let gateway = self.gateway.close();
        gateway.and(load)
    }
}

/// Where the demo's gateway listens.
struct Addresses {
    http: SocketAddr,
    queue: SocketAddr,
}

impl Gateway {
    /// Starts it on these ports, that of the queue first. Sets `stop` where it
    /// listens and then ends.
    fn start(ports: [u16; 2], stop: &StopFlag) -> Result<(Self, Addresses), String> {
        let (config, entries) = configure(ports)?;
        let (end, ended) = oneshot::channel();
        let (sender, receiver) = mpsc::channel::<Listening>();
        let stop = stop.clone();
        let thread = spawn("gateway", move || {
            let mut has_listened = false;
            let listening = |listening| has_listened = sender.send(listening).is_ok();
            let served = app::host(config, &entries, listening, ended);
            drop(sender);
            if has_listened {
                stop.set();
            }
            served
        })?;
        let gateway = Self { thread, end };
        match receiver.recv() {
            Ok(Listening { http, queue: Some(queue) }) if !http.is_empty() => {
                Ok((gateway, Addresses { http: http[0], queue }))
            }
            // It ends without listening only where something is wrong.
            Ok(_) | Err(_) => {
                gateway.close()?;
                Err("the gateway does not listen".to_owned())
            }
        }
    }

    fn close(self) -> Result<(), String> {
        drop(self.end);
        let served = joined("the gateway", self.thread)?;
        served.map_err(|error| format!("the gateway: {error}"))
    }
}

fn start_load(
    queue: SocketAddr,
    rate: u64,
    end: StopFlag,
    stop: StopFlag,
) -> Result<JoinHandle<Result<(), String>>, String> {
    spawn("load", move || {
        let outcome = load::push_quietly(&queue.to_string(), rate, end);
        stop.set();
        outcome.map_err(|error| format!("the load: {error}"))
    })
}

/// The settings of the demo alone: those of a real gateway are none of its
/// business.
fn configure([queue, http]: [u16; 2]) -> Result<(Config, Vec<EffectiveSetting>), String> {
    let listen = |port| format!("127.0.0.1:{port}");
    let outcome = config::from_settings(&[
        ("Redis__ConnectionString", "embedded"),
        ("Embedded__ListenAddress", &listen(queue)),
        ("Http__ListenAddress", &listen(http)),
    ]);
    let problems = |problems: Vec<config::Problem>| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        format!("bad configuration: {}", problems.join(", "))
    };
    Ok((outcome.config.map_err(problems)?, outcome.entries))
}

/// `port` where nobody has it, else 0, with which the system chooses one.
fn port_or_any(port: u16) -> u16 {
    if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() { port } else { 0 }
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, String> {
    let spawned = Builder::new().name(name.to_owned()).spawn(body);
    spawned.map_err(|error| format!("can't start a thread for the {name}: {error}"))
}

fn joined<T>(name: &str, thread: JoinHandle<T>) -> Result<T, String> {
    thread.join().map_err(|_| format!("{name} has panicked"))
}
