//! Servers that are no Redis, and answer for one badly.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// A server that does that with each connection; its port.
pub fn peer(serve: fn(TcpStream)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(connection));
        }
    });
    port
}

/// Takes what comes, and says nothing.
pub fn says_nothing(mut connection: TcpStream) {
    let mut some = [0; 4096];
    while connection.read(&mut some).is_ok_and(|size| size > 0) {}
}

/// Ends the connection before anything was said.
pub fn cuts(connection: TcpStream) {
    drop(connection);
}

/// Ends it in the middle of an answer.
pub fn cuts_an_answer(mut connection: TcpStream) {
    let _ = connection.read(&mut [0; 1]);
    let _ = connection.write_all(b"$");
}

/// Answers each command with an error.
pub fn answers_with_errors(mut connection: TcpStream) {
    let mut some = [0; 65_536];
    while let Ok(size @ 1..) = connection.read(&mut some) {
        // Commands begin with a star at the beginning of a line; the first of what
        // is read does.
        let begins = some[..size].windows(3).filter(|bytes| *bytes == b"\r\n*").count();
        for _ in 0..begins + usize::from(some[0] == b'*') {
            if connection.write_all(b"-ERR not here\r\n").is_err() {
                return;
            }
        }
    }
}
