//! StatsD: what its clients send by UDP, TCP and Unix sockets is what /metrics shows.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use psg_testkit::process::free_port;
use psg_testkit::{Exposition, Gateway, GatewayBuilder, RedisServer};
use tempfile::TempDir;

const OF_STATSD: (&str, &str) = ("door", "statsd");

/// Where a gateway listens for StatsD.
struct Places {
    port: u16,
    folder: TempDir,
}

impl Places {
    fn new() -> Self {
        Self { port: free_port(), folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("statsd.sock")
    }

    fn setting(&self) -> String {
        let (port, path) = (self.port, self.path());
        format!("udp://127.0.0.1:{port},tcp://127.0.0.1:{port},unix://{}", path.display())
    }

    fn on(&self, builder: GatewayBuilder) -> GatewayBuilder {
        builder.set("Statsd__ListenAddress", self.setting())
    }

    fn udp(&self) -> impl Fn(&[u8]) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.connect(("127.0.0.1", self.port)).expect("an address");
        move |packet| {
            socket.send(packet).expect("it listens");
        }
    }

    fn unix(&self) -> impl Fn(&[u8]) {
        let socket = unix_client(&self.path());
        move |packet| {
            socket.send(packet).expect("it listens");
        }
    }

    fn tcp(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).expect("it listens")
    }
}

fn unix_client(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::unbound().expect("a socket");
    socket.connect(path).expect("it listens");
    socket
}

fn door(seen: &Exposition, name: &str, reason: Option<&str>) -> f64 {
    let labels = [Some(OF_STATSD), reason.map(|reason| ("reason", reason))];
    let labels: Vec<(&str, &str)> = labels.into_iter().flatten().collect();
    let name = format!("prom_stream_gateway_door_{name}_total");
    seen.value(&name, &labels).unwrap_or_else(|| panic!("{name} {labels:?} is not there"))
}

fn embedded(places: &Places) -> GatewayBuilder {
    let queue = format!("unix:{}", places.folder.path().join("queue.sock").display());
    places.on(GatewayBuilder::connecting("embedded").set("Embedded__ListenAddress", queue))
}

#[test]
fn packets_and_connections_add_up() {
    let (places, redis) = (Places::new(), RedisServer::start());
    let gateway = places.on(GatewayBuilder::reading(&redis)).start();
    let (udp, unix, mut tcp) = (places.udp(), places.unix(), places.tcp());
    udp(b"jobs.done:1|c|#queue:mail,host.name:a\njobs.done:1|c|@0.5|#host.name:a,queue:mail");
    unix(b"jobs.done:4|c|#queue:mail,host.name:a\nworkers:5|g");
    tcp.write_all(b"jobs.done:8|c|#queue:mail,host.name:a\njob:250|ms\njob:30").expect("sent");
    gateway.scrape_until("what has come so far", |seen| {
        seen.value("jobs_done", &[("queue", "mail"), ("host_name", "a")]) == Some(15.0)
            && seen.value("workers", &[]) == Some(5.0)
    });
    unix(b"workers:-2|g\r\nworkers:+1|g\n");
    tcp.write_all(b"00|ms\nlast:1|c").expect("sent");
    drop(tcp);
    let seen = gateway.scrape_until("all", |seen| {
        seen.value("last", &[]) == Some(1.0) && seen.value("workers", &[]) == Some(4.0)
    });
    assert_eq!(seen.value("job_count", &[]), Some(2.0));
    assert_eq!(seen.value("job_sum", &[]), Some(3.25));
    assert_eq!(seen.value("job_bucket", &[("le", "0.25")]), Some(1.0));
    assert_eq!(door(&seen, "samples", None), 10.0);
    assert_eq!(seen.totals(), (10, 0));
    assert!(door(&seen, "requests", None) >= 5.0);
    assert_eq!(seen.value("prom_stream_gateway_statsd_lost_packets_total", &[]), Some(0.0));
}

#[test]
fn what_can_t_be_taken_is_counted_and_leaves_the_rest() {
    let places = Places::new();
    let gateway = embedded(&places).start();
    places.unix()(b"a:1|c\nusers:ann|s\nbad\n_e{1,1}:a|b\na:nan|c\nb:-1|c\n");
    let seen = gateway.scrape_until("all", |seen| seen.rejected("negative_counter") == 1);
    assert_eq!(seen.value("a", &[]), Some(1.0));
    assert_eq!(door(&seen, "samples", None), 2.0);
    assert_eq!(door(&seen, "left_out_samples", Some("unmergeable")), 2.0);
    assert_eq!(door(&seen, "left_out_samples", Some("malformed")), 1.0);
    assert_eq!(door(&seen, "left_out_samples", Some("not_finite")), 1.0);
}

#[test]
fn without_buckets_of_its_own_the_others_hold() {
    let places = Places::new();
    let builder = embedded(&places).set("Statsd__Buckets", "");
    let gateway = builder.set("Metrics__HistogramBuckets", "job*:0.2,5").start();
    places.udp()(b"job.run:300|ms|@0.5\nother:1|h\n");
    let seen = gateway.scrape_until("both", |seen| seen.rejected("bad_buckets") == 1);
    assert_eq!(seen.value("job_run_bucket", &[("le", "0.2")]), Some(0.0));
    assert_eq!(seen.value("job_run_bucket", &[("le", "5")]), Some(2.0));
}

#[test]
fn packets_wait_for_a_redis_that_is_away() {
    let (places, mut redis) = (Places::new(), RedisServer::start());
    let gateway = places.on(GatewayBuilder::reading(&redis)).start();
    redis.go_down();
    let unix = places.unix();
    for _ in 0..100 {
        unix(b"a:1|c\nb:2|c");
    }
    gateway.scrape_until("all packets to be read", |seen| door(seen, "requests", None) == 100.0);
    redis.go_up();
    let seen = gateway.scrape_until("what waited", |seen| seen.value("b", &[]) == Some(200.0));
    assert_eq!(seen.value("a", &[]), Some(100.0));
    assert_eq!(door(&seen, "left_out_samples", Some("queue_away")), 0.0);
}

#[test]
fn what_does_not_fit_is_dropped_and_counted() {
    let places = Places::new();
    let gateway = places.on(GatewayBuilder::connecting("127.0.0.1:1")).start_unready();
    let unix = places.unix();
    let packet = format!("{}:1|c\n", "n".repeat(200)).repeat(300);
    let packets = 400;
    for _ in 0..packets {
        unix(packet.as_bytes());
    }
    let seen = gateway.scrape_until("all packets to be read", |seen| {
        door(seen, "requests", None) == f64::from(packets)
    });
    let dropped = door(&seen, "left_out_samples", Some("queue_away"));
    assert!(dropped > 0.0 && dropped < f64::from(packets) * 300.0, "{dropped}");
    // Beside what the process has anyway: what waits, and what is being put together.
    let peak = gateway.peak_memory();
    assert!(peak < 160 << 20, "{peak} bytes at most");
}

/// More than the kernel keeps of packets for a gateway that does not read.
#[test]
fn packets_that_the_kernel_drops_are_counted() {
    let places = Places::new();
    let gateway = embedded(&places).start();
    let udp = places.udp();
    let packet = format!("a:1|c{}", "\n".repeat(60_000));
    let packets = 1000;
    gateway.signal("STOP");
    for _ in 0..packets {
        udp(packet.as_bytes());
    }
    gateway.signal("CONT");
    let lost = |seen: &Exposition| seen.value("prom_stream_gateway_statsd_lost_packets_total", &[]);
    let seen = gateway.scrape_until("each packet to be read or lost", |seen| {
        lost(seen).map(|lost| lost + door(seen, "requests", None)) == Some(f64::from(packets))
    });
    let lost = lost(&seen).unwrap_or_default();
    assert!(lost > 0.0 && lost < f64::from(packets), "{lost} of {packets}");
    gateway.scrape_until("those that were read", |seen| {
        seen.value("a", &[]) == Some(f64::from(packets) - lost)
    });
}

#[test]
fn what_came_before_the_end_is_taken() {
    let places = Places::new();
    let mut gateway = embedded(&places).start();
    let unix = places.unix();
    for _ in 0..1000 {
        unix(b"a:1|c\nb:1|c");
    }
    gateway.scrape_until("all packets to be read", |seen| door(seen, "requests", None) == 1000.0);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(Duration::from_secs(20)).code(), Some(0));
    let log = gateway.log().join("\n");
    assert!(log.contains("\"processed\":2000"), "{log}");
    assert!(!places.path().exists(), "the socket is removed");
}

#[test]
fn a_socket_that_was_left_makes_room_and_one_in_use_does_not() {
    let places = Places::new();
    let mut first: Gateway = embedded(&places).start();
    first.kill();
    first.wait_at_most(Duration::from_secs(10));
    assert!(places.path().exists(), "nobody was there to remove it");
    let second = embedded(&places).start();
    places.unix()(b"a:1|c");
    second.scrape_until("the counter", |seen| seen.value("a", &[]) == Some(1.0));
    let path = format!("unix://{}", places.path().display());
    let builder = GatewayBuilder::connecting("127.0.0.1:1").set("Statsd__ListenAddress", path);
    let third = builder.finish();
    assert_ne!(third.code(), 0);
    assert!(third.output().contains("somebody listens there already"), "{}", third.output());
}

#[test]
fn other_machines_are_let_in_where_that_is_meant() {
    let open = || {
        let port = free_port();
        GatewayBuilder::connecting("127.0.0.1:1")
            .set("Statsd__ListenAddress", format!("udp://0.0.0.0:{port}"))
    };
    let refused = open().finish();
    assert_eq!(refused.code(), 78);
    assert!(refused.output().contains("Statsd.AllowUnauthenticated"), "{}", refused.output());
    open().set("Statsd__AllowUnauthenticated", "true").start_unready();
}

#[test]
fn status_and_doctor_tell_of_it() {
    let (places, redis) = (Places::new(), RedisServer::start());
    let builder = || places.on(GatewayBuilder::reading(&redis));
    let examined = |code: i32| {
        let of = builder().arguments(&["doctor"]).finish();
        assert_eq!(of.code(), code, "{}", of.output());
        let found = |line: &&String| line.contains("StatsD");
        of.lines.iter().filter(found).cloned().collect::<Vec<String>>().join("\n")
    };
    let found = examined(1);
    for protocol in ["udp", "tcp", "unix"] {
        assert!(found.contains(&format!("nobody listens at {protocol}://")), "{found}");
    }
    let gateway = builder().start();
    places.unix()(b"a:1|c\nb:2|c\nbad");
    gateway.scrape_until("both", |seen| seen.totals() == (2, 0));
    let found = examined(0);
    assert_eq!(found.matches("somebody listens at ").count(), 3, "{found}");
    let status = gateway.must_get("/api/v1/status", &[]).text();
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    let door = &status["doors"][0];
    assert_eq!((&door["door"], &door["samples"]), (&"statsd".into(), &2.into()), "{status}");
    assert_eq!(door["left_out_samples"], serde_json::json!({"malformed": 1}));
    assert_eq!(door["refused_requests"], serde_json::json!({}));
}
