//! A real Alertmanager, and somebody whom it notifies: what Prometheus' alerts
//! come to for whoever is paged.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::http;
use super::process::{Process, free_port};
use super::wait::wait_for;

/// As Debian calls it.
const PROGRAM: &str = "prometheus-alertmanager";
/// Where Debian's build looks for its templates; `./test` puts them there.
const TEMPLATES: &str = "/usr/share/prometheus/alertmanager";

/// An Alertmanager that runs, on loopback only, and sends each alert on at once.
#[derive(Debug)]
pub struct Alertmanager {
    _process: Process,
    port: u16,
    pager: Pager,
    _folder: TempDir,
}

impl Alertmanager {
    /// One that is ready; none where the program is not there.
    pub fn start() -> Option<Self> {
        let fetched = crate::root().join(".cache/bin").join(PROGRAM);
        let program = if fetched.exists() { fetched } else { PROGRAM.into() };
        let runs = Command::new(&program).arg("--version").output();
        let is_there = Path::new(TEMPLATES).exists();
        if !is_there || !runs.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: there is no {PROGRAM}, or {TEMPLATES} is missing");
            return None;
        }
        let pager = Pager::start();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("alertmanager.yml");
        let configuration = json!({
            "route": {
                "receiver": "pager",
                "group_by": ["alertname"],
                "group_wait": "0s",
                "group_interval": "1s",
            },
            "receivers": [{"name": "pager", "webhook_configs": [{"url": pager.url()}]}],
        });
        // Each JSON is YAML.
        fs::write(&file, configuration.to_string()).expect("the folder can be written");
        let port = free_port();
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            // No cluster.
            .arg("--cluster.listen-address=")
            .arg("--log.level=warn");
        let mut process = Process::start("alertmanager", &mut command);
        wait_for("alertmanager to be ready", || {
            if let Some(status) = process.ended() {
                panic!("it ended while it started: {status}\n{}", process.lines().join("\n"));
            }
            let reply = http::get(port, "/-/ready", &[])?;
            if reply.status == 200 { Ok(()) } else { Err(reply.text()) }
        });
        Some(Self { _process: process, port, pager, _folder: folder })
    }

    /// The `alerting` part of a Prometheus' configuration that sends here.
    pub fn alerting(&self) -> Value {
        let target = format!("127.0.0.1:{}", self.port);
        json!({"alertmanagers": [{"static_configs": [{"targets": [target]}]}]})
    }

    /// The alert of that name as its page shows it now, if it does.
    pub fn shows(&self, name: &str) -> Option<Value> {
        let reply = http::get(self.port, "/api/v2/alerts", &[]).expect("it answers");
        let alerts: Value = serde_json::from_str(&reply.text()).expect("JSON");
        let alerts = alerts.as_array().expect("a list").clone();
        alerts.into_iter().find(|alert| alert["labels"]["alertname"] == name)
    }

    /// What whoever is paged was told of the alert of that name, the oldest first.
    pub fn told(&self, name: &str) -> Vec<Value> {
        let told = self.pager.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().filter(|alert| alert["labels"]["alertname"] == name).cloned().collect()
    }
}

/// Takes notifications as a webhook; it listens until the test process ends.
#[derive(Debug)]
struct Pager {
    port: u16,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Pager {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let told = Arc::<Mutex<Vec<Value>>>::default();
        let list = told.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(message) = take(client) else { continue };
                let alerts = message["alerts"].as_array().cloned().unwrap_or_default();
                list.lock().unwrap_or_else(PoisonError::into_inner).extend(alerts);
            }
        });
        Self { port, told }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

/// The body of one POST, which is answered with 200.
fn take(mut client: TcpStream) -> std::io::Result<Value> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok(serde_json::from_slice(&body)?)
}
