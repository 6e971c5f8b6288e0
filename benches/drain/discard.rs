//! The discard client: pops as fast as one Redis can hand out, and throws the
//! elements away. It is what a gateway is measured against.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use crate::Failure;
use crate::support::redis_server::QUEUE;

const POP_COUNT: usize = 1000;
const POPS_IN_FLIGHT: usize = 3;
const BUFFER_BYTES: usize = 256 * 1024;

/// A connection with three `RPOP key 1000` in flight.
pub struct DiscardClient {
    replies: Replies<TcpStream>,
    pop: Vec<u8>,
}

impl DiscardClient {
    /// Connects to the Redis on this port of 127.0.0.1.
    pub fn connect(port: u16) -> Result<Self, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        let pop = format!(
            "*3\r\n$4\r\nRPOP\r\n${}\r\n{QUEUE}\r\n${}\r\n{POP_COUNT}\r\n",
            QUEUE.len(),
            POP_COUNT.to_string().len(),
        );
        Ok(DiscardClient { replies: Replies::new(stream), pop: pop.into_bytes() })
    }

    /// Pops until the queue is empty; tells how many elements came.
    pub fn drain(&mut self) -> Result<u64, Failure> {
        let (mut popped, mut in_flight) = (0, 0);
        let mut is_empty = false;
        while !is_empty || in_flight > 0 {
            while !is_empty && in_flight < POPS_IN_FLIGHT {
                self.replies.input.write_all(&self.pop)?;
                in_flight += 1;
            }
            let elements = self.replies.skip_array()?;
            popped += elements;
            in_flight -= 1;
            is_empty |= elements == 0;
        }
        Ok(popped)
    }
}

/// Replies of Redis, skipped without looking at what they hold.
struct Replies<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl<R: Read> Replies<R> {
    fn new(input: R) -> Self {
        Replies { input, buffer: vec![0; BUFFER_BYTES], start: 0, end: 0 }
    }

    /// Skips one array of bulk strings; tells its length, 0 for nil.
    fn skip_array(&mut self) -> io::Result<u64> {
        let elements = self.header(b'*')?.unwrap_or(0);
        for _ in 0..elements {
            if let Some(length) = self.header(b'$')? {
                self.skip(length as usize + 2)?;
            }
        }
        Ok(elements)
    }

    /// The number after `mark`; `None` is nil.
    fn header(&mut self, mark: u8) -> io::Result<Option<u64>> {
        let mut number = 0;
        let first = self.byte()?;
        if first != mark {
            return Err(self.unexpected(mark, first));
        }
        let mut is_nil = false;
        loop {
            match self.byte()? {
                digit @ b'0'..=b'9' => number = number * 10 + u64::from(digit - b'0'),
                b'-' => is_nil = true,
                b'\r' => break,
                other => return Err(self.unexpected(b'0', other)),
            }
        }
        self.skip(1)?;
        Ok((!is_nil).then_some(number))
    }

    fn unexpected(&self, expected: u8, got: u8) -> io::Error {
        let rest = String::from_utf8_lossy(&self.buffer[self.start..self.end.min(self.start + 80)]);
        let (expected, got) = (char::from(expected), char::from(got));
        io::Error::other(format!("expected \"{expected}\" from redis, got \"{got}{rest}\""))
    }

    fn byte(&mut self) -> io::Result<u8> {
        if self.start == self.end {
            self.fill()?;
        }
        self.start += 1;
        Ok(self.buffer[self.start - 1])
    }

    fn skip(&mut self, mut bytes: usize) -> io::Result<()> {
        while bytes > self.end - self.start {
            bytes -= self.end - self.start;
            self.fill()?;
        }
        self.start += bytes;
        Ok(())
    }

    /// Replaces the buffer, which has been skipped.
    fn fill(&mut self) -> io::Result<()> {
        (self.start, self.end) = (0, self.input.read(&mut self.buffer)?);
        if self.end == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}
