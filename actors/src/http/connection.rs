//! A connection of the HTTP side, and how long its client may take. Every step of
//! an exchange has a deadline: the request has to arrive, the answer has to be
//! taken. Who is too slow is cut off, so that slow clients cost others nothing but
//! a slot for that long.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

use super::conn_slots::{Awaits, ConnSlot};
use crate::byte_stream::ByteStream;

#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// To send a request, from its first byte on or from the connection's begin.
    pub request: Duration,
    pub idle: Duration,
    pub answer: Duration,
}

/// An answer may take longer than any Prometheus waits for it.
pub const TIMEOUTS: Timeouts = Timeouts {
    request: Duration::from_secs(5),
    idle: Duration::from_secs(5),
    answer: Duration::from_secs(120),
};

/// What a client has for its request where slots are few.
const REQUEST_TIME_IN_A_CROWD: Duration = Duration::from_secs(1);
/// How much later than the HTTP server we are, which can say goodbye.
const GRACE: Duration = Duration::from_secs(1);
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// What the HTTP server may read of further requests meanwhile.
const READ_AHEAD: usize = 256 * 1024;

pub struct HttpConnection {
    stream: ByteStream<TlsStream<TcpStream>>,
    exchange: Rc<Exchange>,
    /// Made where the client is waited for, and reset with the deadline.
    timer: Option<Pin<Box<Sleep>>>,
}

/// How far request and answer are, shared with what answers the requests.
#[derive(Debug)]
pub struct Exchange {
    phase: Cell<ExchangePhase>,
    deadline: Cell<Instant>,
    times: Timeouts,
    /// Bytes that came since the last answer ended, and how many may.
    got: Cell<usize>,
    most: Cell<usize>,
    has_certificate: bool,
    slot: ConnSlot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExchangePhase {
    /// Nothing of a request has come.
    Waiting,
    /// A part of one has.
    Asking,
    Answering,
    /// The last part of an answer is on its way into the socket.
    Ending,
}

impl HttpConnection {
    /// A connection whose first request is to come.
    pub fn new(stream: ByteStream<TlsStream<TcpStream>>, times: Timeouts, slot: ConnSlot) -> Self {
        let has_certificate = match &stream {
            ByteStream::Tls(tls) => tls.get_ref().1.peer_certificates().is_some(),
            ByteStream::Tcp(_) | ByteStream::Unix(_) => false,
        };
        Self { stream, exchange: Rc::new(Exchange::new(times, slot, has_certificate)), timer: None }
    }

    /// The same, for requests with bodies of up to that many bytes. They may come in
    /// chunks, each of which has a few bytes more; the HTTP server has room for more
    /// than it has parsed.
    pub fn taking_bodies_of(self, bytes: usize) -> Self {
        self.exchange.most.set(MAX_REQUEST_BYTES + READ_AHEAD + bytes + bytes / 8);
        self
    }

    /// How far request and answer are.
    pub fn exchange(&self) -> Rc<Exchange> {
        Rc::clone(&self.exchange)
    }

    /// What a poll comes to: a client that is waited for beyond its deadline, or
    /// that has to make room for others, is an error.
    fn in_time<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_pending() && self.exchange.slot.poll_sent_away(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if polled.is_pending() && self.is_late(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }

    /// Whether the deadline has passed; if not, the task is woken when it does.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let deadline = self.exchange.deadline.get();
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(context).is_ready()
    }
}

impl Exchange {
    fn new(times: Timeouts, slot: ConnSlot, has_certificate: bool) -> Self {
        let time = match slot.is_in_a_crowd() {
            true => times.request.min(REQUEST_TIME_IN_A_CROWD),
            false => times.request + GRACE,
        };
        Self {
            phase: Cell::new(ExchangePhase::Waiting),
            deadline: Cell::new(Instant::now() + time),
            times,
            got: Cell::new(0),
            most: Cell::new(MAX_REQUEST_BYTES),
            has_certificate,
            slot,
        }
    }

    pub fn slot(&self) -> &ConnSlot {
        &self.slot
    }

    pub fn has_certificate(&self) -> bool {
        self.has_certificate
    }

    /// A request has come and is being answered, until the answer that this
    /// gives is dropped.
    pub fn answer(self: &Rc<Self>) -> AnswerGuard {
        self.enter(ExchangePhase::Answering, self.times.answer);
        self.slot.awaits(Awaits::Answer);
        AnswerGuard(Rc::clone(self))
    }

    fn enter(&self, phase: ExchangePhase, time: Duration) {
        self.phase.set(phase);
        self.deadline.set(Instant::now() + time);
    }

    /// Notes bytes of a request; false where they are too many.
    fn note(&self, bytes: usize) -> bool {
        if self.phase.get() == ExchangePhase::Waiting {
            self.enter(ExchangePhase::Asking, self.times.request + GRACE);
        }
        self.got.set(self.got.get() + bytes);
        self.got.get() <= self.most.get()
    }

    /// The client is waited for, to send the body of a request that may be answered.
    pub fn awaits_body(&self) {
        self.slot.awaits(Awaits::Request);
    }

    /// The body has come, and is what the answer takes its time for.
    pub fn has_body(&self) {
        self.slot.awaits(Awaits::Answer);
    }

    /// Notes that all that was written is in the socket.
    fn flushed(&self) {
        if self.phase.get() == ExchangePhase::Ending {
            self.got.set(0);
            self.enter(ExchangePhase::Waiting, self.times.idle + GRACE);
            self.slot.awaits(Awaits::Request);
        }
    }
}

#[derive(Debug)]
pub struct AnswerGuard(Rc<Exchange>);

impl Drop for AnswerGuard {
    fn drop(&mut self) {
        // The deadline stays: what is written has to be taken too.
        self.0.phase.set(ExchangePhase::Ending);
    }
}

impl AsyncRead for HttpConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        let got = buffer.filled().len() - before;
        if got > 0 && !this.exchange.note(got) {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        this.in_time(polled, context)
    }
}

impl AsyncWrite for HttpConnection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(context, bytes);
        match &polled {
            Poll::Pending => this.exchange.slot.has_to_take(),
            Poll::Ready(Ok(bytes)) => this.exchange.slot.has_taken(*bytes),
            Poll::Ready(Err(_)) => {}
        }
        this.in_time(polled, context)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(context);
        if polled.is_pending() {
            this.exchange.slot.has_to_take();
        }
        if matches!(polled, Poll::Ready(Ok(()))) {
            this.exchange.flushed();
            // Nobody may poll again before the new deadline.
            if this.is_late(context) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        this.in_time(polled, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_shutdown(context);
        this.in_time(polled, context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::conn_slots::{ConnSlots, PeerNetwork};
    use super::*;

    const SHORT: Timeouts = Timeouts {
        request: Duration::ZERO,
        idle: Duration::from_secs(60),
        answer: Duration::from_millis(300),
    };

    async fn pair(times: Timeouts) -> (HttpConnection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let client = TcpStream::connect(address).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("a client");
        (
            HttpConnection::new(
                ByteStream::Tcp(stream),
                times,
                ConnSlot::take(&ConnSlots::new(8), PeerNetwork::new(None)),
            ),
            client,
        )
    }

    #[actix_rt::test]
    async fn a_request_that_does_not_come_is_not_waited_for() {
        let (mut connection, mut client) = pair(SHORT).await;
        client.write_all(b"GET / HT").await.expect("sent");
        let mut buffer = [0; 8];
        connection.read_exact(&mut buffer).await.expect("that much has come");
        let error = connection.read(&mut buffer).await.expect_err("no more comes");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[actix_rt::test]
    async fn a_request_without_an_end_is_cut() {
        let (mut connection, mut client) = pair(TIMEOUTS).await;
        let (mut buffer, mut got) = (vec![0; 1024], 0);
        let endless = async { while client.write_all(&[b'a'; 1024]).await.is_ok() {} };
        let read = async {
            loop {
                match connection.read(&mut buffer).await {
                    Ok(bytes) => got += bytes,
                    Err(error) => return error.kind(),
                }
            }
        };
        tokio::select! {
            () = endless => panic!("the client is faster cut than the server reads"),
            kind = read => assert_eq!(kind, io::ErrorKind::InvalidData),
        }
        assert!(got <= MAX_REQUEST_BYTES, "{got}");
    }

    #[actix_rt::test]
    async fn in_a_crowd_there_is_less_time_and_one_answer() {
        let slots = ConnSlots::new(4);
        let mut connections = Vec::new();
        let mut clients = Vec::new();
        for crowd in [false, false, true, true] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("bound");
            clients.push(TcpStream::connect(address).await.expect("it listens"));
            let (stream, _) = listener.accept().await.expect("a client");
            let connection = HttpConnection::new(
                ByteStream::Tcp(stream),
                TIMEOUTS,
                ConnSlot::take(&slots, PeerNetwork::new(None)),
            );
            let left = connection.exchange.deadline.get() - Instant::now();
            assert_eq!(left <= REQUEST_TIME_IN_A_CROWD, crowd, "{left:?}");
            assert_eq!(connection.exchange().slot().is_in_a_crowd(), crowd);
            connections.push(connection);
        }
        connections.truncate(2);
        assert!(!connections[0].exchange().slot().is_in_a_crowd(), "places that are left are free");
    }

    #[actix_rt::test]
    async fn who_has_to_make_room_is_cut_whatever_it_waits_for() {
        let slots = ConnSlots::new(1);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let _client = TcpStream::connect(address).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("a client");
        let slot = ConnSlot::take(&slots, PeerNetwork::new(None));
        let mut connection = HttpConnection::new(ByteStream::Tcp(stream), TIMEOUTS, slot);
        let mut buffer = [0; 8];
        let newcomers = async {
            // At first it has come only a moment ago itself.
            while ConnSlot::take(&slots, PeerNetwork::new(None)).is_reserved() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let (read, ()) = tokio::join!(connection.read(&mut buffer), newcomers);
        assert_eq!(read.expect_err("it is cut").kind(), io::ErrorKind::ConnectionAborted);
    }

    /// Writes without end and tells how long the client got.
    async fn endless_answer(connection: &mut HttpConnection) -> Duration {
        let _answer = connection.exchange().answer();
        let began = Instant::now();
        loop {
            if let Err(error) = connection.write_all(&[b'a'; 65536]).await {
                assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                return began.elapsed();
            }
        }
    }

    #[actix_rt::test]
    async fn an_answer_has_to_be_taken_in_time() {
        let (mut connection, client) = pair(SHORT).await;
        let took = endless_answer(&mut connection).await;
        assert!((SHORT.answer..SHORT.answer * 10).contains(&took), "{took:?}");
        drop(client);
    }

    #[actix_rt::test]
    async fn who_takes_an_answer_in_drops_is_cut_too() {
        let (mut connection, mut client) = pair(SHORT).await;
        let sips = async {
            let mut sip = [0; 4096];
            while client.read(&mut sip).await.is_ok_and(|bytes| bytes > 0) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = sips => panic!("the server ends it"),
            took = endless_answer(&mut connection) => assert!(took >= SHORT.answer, "{took:?}"),
        }
    }

    #[actix_rt::test]
    async fn after_an_answer_another_time_counts() {
        let (mut connection, mut client) = pair(SHORT).await;
        drop(connection.exchange().answer());
        connection.write_all(b"done").await.expect("sent");
        connection.flush().await.expect("sent");
        let left = connection.exchange.deadline.get() - Instant::now();
        assert!(left > SHORT.answer + GRACE, "{left:?}");
        client.write_all(b"G").await.expect("sent");
        connection.read_u8().await.expect("it has come");
        let left = connection.exchange.deadline.get() - Instant::now();
        assert!(left <= SHORT.request + GRACE, "{left:?}");
    }
}
