//! A client's connection: moves bytes between its socket and its session.
//!
//! It reads and writes at the same time, so that neither side waits for the
//! other. All connections of a thread read into one buffer, and what a session
//! keeps of it is mostly nothing: a silent client costs some hundred bytes.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, interval, sleep_until, timeout};

use super::command::NO_ROOM;
use super::outbox::Outbox;
use super::queue::Room;
use super::request::MAX_INLINE_BYTES;
use super::service::Service;
use super::session::{Next, Session};
use super::stream::ClientStream;
use crate::stop::StopSignal;

/// What one read brings at most.
const READ_BYTES: usize = 16 * 1024;

/// How long the last replies may take to go out.
const LAST_REPLIES: Duration = Duration::from_secs(1);

/// How long a client may be silent amid a request so large that it takes up
/// room of other clients.
const LARGE_REQUEST_SILENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether a client that waits for room is still there.
const STILL_THERE: Duration = Duration::from_millis(250);

thread_local! {
    /// What was left of the last read and what the next one brings.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; MAX_INLINE_BYTES + READ_BYTES]);
}

/// One client.
#[derive(Debug)]
pub struct Connection {
    stream: ClientStream,
    session: Session,
    /// Bytes that were read and not used up.
    rest: Vec<u8>,
    /// Whether there may be whole commands in it.
    is_rest_due: bool,
    needs_flush: bool,
    /// A push has waited in vain, and what came in with it does not wait again.
    has_waited: bool,
    idle_timeout: Option<Duration>,
}

impl Connection {
    /// The connection of a client that has said nothing yet.
    pub fn new(
        stream: ClientStream,
        service: Arc<Service>,
        idle_timeout: Option<Duration>,
    ) -> Self {
        Self {
            stream,
            session: Session::new(service),
            rest: Vec::new(),
            is_rest_due: false,
            needs_flush: false,
            has_waited: false,
            idle_timeout,
        }
    }

    /// Serves until the client leaves, is idle for too long or breaks the
    /// protocol, or the stop signal comes.
    pub async fn serve(mut self, mut stop: StopSignal) {
        tokio::select! {
            biased;
            () = stop.stopped() => {}
            _ = self.converse() => {}
        }
        let Self { mut stream, mut session, .. } = self;
        let mut outbox = std::mem::take(session.outbox());
        // The queue is closed once no session is left.
        drop(session);
        let last = std::future::poll_fn(|context| poll_send_all(&mut stream, &mut outbox, context));
        // Whoever does not read them can't be told.
        let _ = timeout(LAST_REPLIES, last).await;
        stream.close().await;
    }

    async fn converse(&mut self) -> io::Result<()> {
        loop {
            match self.exchange_in_time().await? {
                Next::Read | Next::Send => {}
                Next::Wait(cost) => self.wait_for_room(cost).await?,
                Next::Close => return Ok(()),
            }
        }
    }

    async fn exchange_in_time(&mut self) -> io::Result<Next> {
        let large = self.session.is_charged().then_some(LARGE_REQUEST_SILENCE);
        let idle = self.idle_timeout.filter(|_| self.session.profile.subscriptions() == 0);
        let Some(patience) = large.into_iter().chain(idle).min() else {
            return std::future::poll_fn(|context| self.poll_exchange(context)).await;
        };
        let exchange = std::future::poll_fn(|context| self.poll_exchange(context));
        timeout(patience, exchange).await.unwrap_or(Ok(Next::Close))
    }

    /// Sends replies, and feeds the session with what is left or comes in.
    fn poll_exchange(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Next>> {
        if let Poll::Ready(Err(cause)) = self.poll_send(context) {
            return Poll::Ready(Err(cause));
        }
        if self.session.outbox().is_full() {
            return Poll::Pending;
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
                    return Poll::Pending;
                };
                read?;
                filled += free.filled().len();
                if filled == kept {
                    return Poll::Ready(Ok(Next::Close));
                }
            }
            let (used, next) = self.session.feed(&scratch[..filled]);
            self.is_rest_due = next != Next::Read;
            self.keep(&scratch[used..filled]);
            Poll::Ready(Ok(next))
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

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outbox = self.session.outbox();
        self.needs_flush |= !outbox.is_empty();
        if self.needs_flush {
            ready!(poll_send_all(&mut self.stream, outbox, context))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Waits until the push in hand has room, is given up, or its client has
    /// left: then it takes nothing.
    async fn wait_for_room(&mut self, cost: usize) -> io::Result<()> {
        // Earlier replies go out first, as far as the client takes them now.
        std::future::poll_fn(|context| match self.poll_send(context) {
            Poll::Ready(Err(cause)) => Poll::Ready(Err(cause)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(())),
        })
        .await?;
        let room = self.room(cost).await?;
        self.has_waited = room.is_none();
        self.session.settle(room.ok_or(NO_ROOM));
        Ok(())
    }

    /// Room of that cost, or `None` after the time-out.
    async fn room(&self, cost: usize) -> io::Result<Option<Room>> {
        let service = Arc::clone(&self.session.service);
        let patience = if self.has_waited { Duration::ZERO } else { service.push_timeout };
        let deadline = Instant::now() + patience;
        let mut looks = interval(STILL_THERE);
        let reserve = service.entry.reserve(cost);
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

/// Sends all that is in the outbox.
fn poll_send_all(
    stream: &mut ClientStream,
    outbox: &mut Outbox,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !outbox.is_empty() {
        let sent = ready!(Pin::new(&mut *stream).poll_write(context, outbox.bytes()))?;
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        outbox.sent(sent);
    }
    Pin::new(stream).poll_flush(context)
}
