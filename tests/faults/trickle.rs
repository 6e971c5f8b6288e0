//! A Redis that never ends its answer: the gateway ends all the same.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use psg_testkit::{GatewayBuilder, wait_until};

/// Between two bytes of the answer: far less than a silence that is given up.
const PACE: Duration = Duration::from_millis(200);

/// Answers the handshake as a master does, and each RPOP with an element of
/// which one byte comes after the other for ever. Threads end with the test.
fn start(is_popped: &Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("a bound port").port();
    let is_popped = Arc::clone(is_popped);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let is_popped = Arc::clone(&is_popped);
            thread::spawn(move || serve(stream, &is_popped));
        }
    });
    port
}

fn serve(mut stream: TcpStream, is_popped: &AtomicBool) {
    stream.set_read_timeout(Some(PACE)).expect("a time-out above zero");
    let mut request = [0; 4096];
    let mut trickles = false;
    loop {
        let got = stream.read(&mut request);
        let answer: &[u8] = match got {
            Ok(0) => return,
            Ok(length) => {
                let request = String::from_utf8_lossy(&request[..length]).to_uppercase();
                if request.contains("RPOP") {
                    trickles = true;
                    is_popped.store(true, Ordering::Relaxed);
                    b"*1\r\n$1000000\r\n"
                } else if request.contains("ROLE") {
                    b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
                } else if request.contains("HMGET") {
                    b"*2\r\n$-1\r\n$-1\r\n"
                } else if request.contains("LLEN") {
                    b":1\r\n"
                } else {
                    b"+OK\r\n"
                }
            }
            Err(_) if trickles => b"x",
            Err(_) => b"",
        };
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

#[test]
fn a_stop_ends_in_time_though_redis_never_ends_its_answer() {
    let is_popped = Arc::new(AtomicBool::new(false));
    let port = start(&is_popped);
    let mut gateway = GatewayBuilder::connecting(&format!("127.0.0.1:{port}")).start_unready();
    wait_until("a pop under way", || is_popped.load(Ordering::Relaxed));
    gateway.signal("TERM");
    let status = gateway.wait_at_most(Duration::from_secs(10));
    assert_eq!(status.code(), Some(1), "what was under way is lost, and that is said");
    assert!(gateway.log().iter().any(|line| line.contains("did not finish what it had taken")));
}
