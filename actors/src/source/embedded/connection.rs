//! A client's connection: moves bytes between its socket and its session.
//!
//! It reads and writes at the same time, so that neither side waits for the
//! other, and after a little work it lets other connections have their turn, so
//! that a flood of one leaves them quick. All connections of a thread read into one buffer, and what a session
//! keeps of it is mostly nothing: a silent client costs some hundred bytes.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout, timeout_at};

use super::super::push_queue::Reservation;
use super::client_state::ClientAddress;
use super::clients::ClientSlot;
use super::outbox::Outbox;
use super::request::MAX_INLINE_BYTES;
use super::service::Service;
use super::session::command::NO_ROOM;
use super::session::{Next, Session};
use super::stream::ClientStream;
use crate::stop::StopSignal;

/// What one read brings at most.
const READ_BYTES: usize = 16 * 1024;

/// Bytes that are read before it is the others' turn, and that are written.
const TURN_BYTES: usize = 16 * 1024;
const SEND_BYTES: usize = 64 * 1024;

/// How long a client may take to log in, where it has to.
const LOGIN: Duration = Duration::from_secs(10);

/// How long the last replies may take to go out.
const LAST_REPLIES: Duration = Duration::from_secs(1);

/// How long a client may be silent during a request so large that it takes up
/// room of other clients.
const LARGE_REQUEST_SILENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether a client that waits for room is still there.
const STILL_THERE: Duration = Duration::from_millis(250);

thread_local! {
    /// What was left of the last read and what the next one brings.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; MAX_INLINE_BYTES + READ_BYTES]);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SendProgress {
    All,
    /// As many as fit a turn.
    Some,
    /// As many as the client takes now.
    Blocked,
}

#[derive(Debug)]
pub struct RespConnection {
    stream: ClientStream,
    session: Session,
    /// Bytes that were read and not used up.
    rest: Vec<u8>,
    /// Whether there may be whole commands in it.
    is_rest_due: bool,
    needs_flush: bool,
    /// Bytes that were read and written since others had their turn.
    moved: usize,
    /// Until when it may be a stranger.
    login_until: Option<Instant>,
    /// A push has waited without success, and what came in with it does not wait
    /// again.
    has_waited: bool,
    idle_timeout: Option<Duration>,
}

impl RespConnection {
    /// The connection of a client that has said nothing yet.
    pub fn new(
        stream: ClientStream,
        service: Arc<Service>,
        slot: ClientSlot,
        address: ClientAddress,
        idle_timeout: Option<Duration>,
    ) -> Self {
        Self {
            stream,
            session: Session::new(service, slot, address),
            rest: Vec::new(),
            is_rest_due: false,
            needs_flush: false,
            moved: 0,
            login_until: None,
            has_waited: false,
            idle_timeout,
        }
    }

    /// Serves until the client leaves, is idle for too long or breaks the
    /// protocol, has to make room for others, or the stop signal comes.
    pub async fn serve(mut self, mut stop: StopSignal) {
        let eviction = self.session.eviction();
        let reason = tokio::select! {
            biased;
            () = stop.stopped() => None,
            reason = eviction.wait() => Some(*reason),
            _ = self.converse() => None,
        };
        let Self { mut stream, session, .. } = self;
        if let Some(reason) = reason {
            // At once, with all that it holds.
            return session.give_way(reason);
        }
        // The queue is closed once no session is left.
        let (mut outbox, slot) = session.into_last_words();
        let last = async {
            while send(&mut stream, &mut outbox).await? != SendProgress::All {}
            io::Result::Ok(())
        };
        // Who does not read them can't be told.
        let _ = timeout(LAST_REPLIES, last).await;
        drop((outbox, slot));
        stream.close().await;
    }

    async fn converse(&mut self) -> io::Result<()> {
        loop {
            match self.exchange_in_time().await? {
                Next::Read | Next::Send => {}
                Next::Pause(time) => sleep(time).await,
                Next::Wait(cost) => self.wait_for_room(cost).await?,
                Next::Close => return Ok(()),
            }
            if self.moved >= TURN_BYTES {
                self.moved = 0;
                yield_now().await;
            }
        }
    }

    async fn exchange_in_time(&mut self) -> io::Result<Next> {
        let now = Instant::now();
        let large = self.session.is_amid_large_request().then_some(now + LARGE_REQUEST_SILENCE);
        let is_subscriber = self.session.client.subscriptions() > 0;
        let idle = self.idle_timeout.filter(|_| !is_subscriber).map(|timeout| now + timeout);
        self.login_until = match self.session.is_stranger() {
            true => self.login_until.or(Some(now + LOGIN)),
            false => None,
        };
        let end = large.into_iter().chain(idle).chain(self.login_until).min();
        let exchange = std::future::poll_fn(|context| self.poll_exchange(context));
        match end {
            Some(end) => timeout_at(end, exchange).await.unwrap_or(Ok(Next::Close)),
            None => exchange.await,
        }
    }

    /// Sends replies, and feeds the session with what is left or comes in.
    fn poll_exchange(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Next>> {
        let sent = self.poll_send(context)?;
        let may_send_more = Poll::Ready(Ok(Next::Send));
        if self.session.outbox().is_full() {
            return if sent == SendProgress::Blocked { Poll::Pending } else { may_send_more };
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let kept = self.rest.len();
            scratch[..kept].copy_from_slice(&self.rest);
            let mut filled = kept;
            if !self.is_rest_due {
                let mut free = ReadBuf::new(&mut scratch[kept..kept + READ_BYTES]);
                let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, &mut free)
                else {
                    self.has_waited = false;
                    return if sent == SendProgress::Some { may_send_more } else { Poll::Pending };
                };
                read?;
                filled += free.filled().len();
                if filled == kept {
                    return Poll::Ready(Ok(Next::Close));
                }
            }
            let (used, next) = self.session.feed(&scratch[..filled]);
            self.moved += used + if next == Next::Send { TURN_BYTES } else { 0 };
            self.is_rest_due = next != Next::Read;
            self.keep(&scratch[used..filled]);
            Poll::Ready(Ok(self.session.end_turn(next, self.rest.capacity())))
        })
    }

    fn keep(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            self.rest = Vec::new();
        } else {
            self.rest.clear();
            self.rest.extend_from_slice(rest);
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> io::Result<SendProgress> {
        let outbox = self.session.outbox();
        self.needs_flush |= !outbox.is_empty();
        if !self.needs_flush {
            return Ok(SendProgress::All);
        }
        match poll_send(&mut self.stream, outbox, context) {
            Poll::Pending => Ok(SendProgress::Blocked),
            Poll::Ready(Err(cause)) => Err(cause),
            Poll::Ready(Ok(sent)) => {
                self.needs_flush = sent != SendProgress::All;
                self.moved += if sent == SendProgress::All { 0 } else { TURN_BYTES };
                Ok(sent)
            }
        }
    }

    /// Waits until the current push has room, is given up, or its client has
    /// left: then it takes nothing.
    async fn wait_for_room(&mut self, cost: usize) -> io::Result<()> {
        // Earlier replies go out first, as far as the client takes them now.
        std::future::poll_fn(|context| Poll::Ready(self.poll_send(context))).await?;
        let room = self.room(cost).await?;
        self.has_waited = room.is_none();
        self.session.settle(room.ok_or(NO_ROOM));
        Ok(())
    }

    /// Room of that cost, or `None` after the time-out.
    async fn room(&self, cost: usize) -> io::Result<Option<Reservation>> {
        let service = Arc::clone(&self.session.service);
        let patience = if self.has_waited { Duration::ZERO } else { service.push_timeout };
        let deadline = Instant::now() + patience;
        let mut looks = interval(STILL_THERE);
        let reserve = service.queue.reserve(cost);
        tokio::pin!(reserve);
        loop {
            let room = tokio::select! {
                biased;
                room = &mut reserve => Some(room),
                () = sleep_until(deadline) => return Ok(None),
                _ = looks.tick() => None,
            };
            if self.stream.peer_has_closed() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if room.is_some() {
                return Ok(room);
            }
        }
    }
}

async fn send(stream: &mut ClientStream, outbox: &mut Outbox) -> io::Result<SendProgress> {
    std::future::poll_fn(|context| poll_send(stream, outbox, context)).await
}

/// Sends what is in the outbox, as much as fits a turn.
fn poll_send(
    stream: &mut ClientStream,
    outbox: &mut Outbox,
    context: &mut Context<'_>,
) -> Poll<io::Result<SendProgress>> {
    let mut left = SEND_BYTES;
    while !outbox.is_empty() {
        if left == 0 {
            return Poll::Ready(Ok(SendProgress::Some));
        }
        let sent = ready!(Pin::new(&mut *stream).poll_write(context, outbox.bytes()))?;
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        outbox.sent(sent);
        left = left.saturating_sub(sent);
    }
    Pin::new(stream).poll_flush(context).map_ok(|()| SendProgress::All)
}
