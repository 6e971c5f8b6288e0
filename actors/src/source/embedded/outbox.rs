//! The outbox of a client: replies that have not gone out yet.
//!
//! A client may send any number of requests before it reads the first reply. If
//! we stopped reading from it meanwhile, both sides could wait for each other;
//! if we kept every reply, it could fill the memory. So beyond some bytes equal
//! replies in a row are kept once and counted, and there a push is answered
//! with the same length as the one before it.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::reply::{Protocol, RespReply};

/// Packed replies up to which each is kept by itself.
const PLAIN_BYTES: usize = 64 * 1024;

/// Packed replies in runs from which nothing more should be asked of us.
const MOST_RUN_BYTES: usize = 64 * 1024;

/// What a run costs besides its reply.
const RUN_BYTES: usize = 128;

#[derive(Debug, Default)]
pub struct Outbox {
    packed: BytesMut,
    /// The most that it has had room for since it was new.
    packed_room: usize,
    /// They follow what is packed.
    runs: VecDeque<RepeatedReply>,
    run_bytes: usize,
    /// Bytes of all replies that were ever added.
    added: u64,
}

/// Equal replies in a row.
#[derive(Debug)]
struct RepeatedReply {
    reply: Bytes,
    count: u64,
    is_push: bool,
}

impl Outbox {
    pub fn add(&mut self, reply: RespReply, protocol: Protocol) {
        if self.is_plain() {
            let before = self.packed.len();
            reply.pack(protocol, &mut self.packed);
            return self.note_packed(before);
        }
        let mut packed = BytesMut::new();
        reply.pack(protocol, &mut packed);
        // Without spare room.
        self.add_run(Bytes::copy_from_slice(&packed), false);
    }

    pub fn add_packed(&mut self, packed: Bytes) {
        if self.is_plain() {
            let before = self.packed.len();
            self.packed.extend_from_slice(&packed);
            return self.note_packed(before);
        }
        self.add_run(packed, false);
    }

    /// Adds the reply to a push, after which the queue has that length.
    pub fn add_pushed(&mut self, length: i64, protocol: Protocol) {
        if self.is_plain() {
            return self.add(RespReply::Integer(length), protocol);
        }
        if let Some(last) = self.runs.back_mut().filter(|last| last.is_push) {
            last.count += 1;
            self.added += last.reply.len() as u64;
            return;
        }
        let mut packed = BytesMut::new();
        RespReply::Integer(length).pack(protocol, &mut packed);
        self.add_run(Bytes::copy_from_slice(&packed), true);
    }

    /// Adds the head of an array of that many replies, which are added next.
    pub fn add_array_head(&mut self, replies: usize) {
        self.add_packed(format!("*{replies}\r\n").into());
    }

    /// Bytes that can go out now; empty where everything has.
    pub fn bytes(&mut self) -> &[u8] {
        while self.packed.len() < PLAIN_BYTES {
            let Some(run) = self.runs.front_mut() else { break };
            let fitting = (PLAIN_BYTES / run.reply.len().max(1)).max(1) as u64;
            for _ in 0..fitting.min(run.count) {
                self.packed.extend_from_slice(&run.reply);
            }
            self.packed_room = self.packed_room.max(self.packed.capacity());
            run.count -= fitting.min(run.count);
            if run.count == 0 {
                self.run_bytes -= run.reply.len() + RUN_BYTES;
                self.runs.pop_front();
            }
        }
        &self.packed
    }

    /// So many of these bytes have gone out.
    pub fn sent(&mut self, bytes: usize) {
        self.packed.advance(bytes);
        if self.packed.is_empty() {
            // Nothing is kept for clients that are silent.
            self.packed = BytesMut::new();
            self.packed_room = 0;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.packed.is_empty() && self.runs.is_empty()
    }

    /// Memory that it takes up.
    pub fn held(&self) -> usize {
        self.packed_room + self.run_bytes
    }

    /// Bytes of all replies that were ever added, those among them that are
    /// kept once and counted.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// Whether it holds so much that no more requests should be answered.
    pub fn is_full(&self) -> bool {
        self.run_bytes > MOST_RUN_BYTES
    }

    fn is_plain(&self) -> bool {
        self.runs.is_empty() && self.packed.len() < PLAIN_BYTES
    }

    /// Accounts for a reply that was packed after `before` bytes.
    fn note_packed(&mut self, before: usize) {
        self.added += (self.packed.len() - before) as u64;
        self.packed_room = self.packed_room.max(self.packed.capacity());
    }

    fn add_run(&mut self, reply: Bytes, is_push: bool) {
        self.added += reply.len() as u64;
        if let Some(last) = self.runs.back_mut().filter(|last| last.reply == reply) {
            last.count += 1;
            return;
        }
        self.run_bytes += reply.len() + RUN_BYTES;
        self.runs.push_back(RepeatedReply { reply, count: 1, is_push });
    }
}
