//! A race: of several ways to the same end the next one begins where the one
//! before has failed, or has let some time pass; the first that gets there
//! counts. So no single address keeps the others waiting for ever.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use super::super::SourceError;
use super::error::{error, keep_clearest};
use crate::error_kind::ErrorKind;

/// What the first attempt that succeeds brings; else the failure that says most.
pub async fn first_to_succeed<P, T, F>(
    candidates: Vec<P>,
    head_start: Duration,
    attempt: impl Fn(P) -> F,
) -> Result<T, SourceError>
where
    F: Future<Output = Result<T, SourceError>>,
{
    let mut waiting = candidates.into_iter();
    let mut under_way = FuturesUnordered::new();
    let mut failure = None;
    loop {
        under_way.extend(waiting.next().map(&attempt));
        let ended = match waiting.len() {
            0 => under_way.next().await,
            _ => match timeout(head_start, under_way.next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            },
        };
        match ended {
            Some(Ok(done)) => return Ok(done),
            Some(Err(cause)) => keep_clearest(&mut failure, cause),
            None => {
                return Err(failure.unwrap_or_else(|| {
                    error(ErrorKind::Connection, "there is no address to try")
                }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Clone, Copy)]
    enum Address {
        Answers(u8),
        Refuses,
        Swallows,
    }
    use Address::{Answers, Refuses, Swallows};

    async fn run(candidates: &[Address]) -> (Result<u8, SourceError>, usize) {
        let begun = AtomicUsize::new(0);
        let attempt = |address: Address| {
            begun.fetch_add(1, Ordering::Relaxed);
            async move {
                match address {
                    Answers(number) => Ok(number),
                    Refuses => Err(error(ErrorKind::Connection, "refused")),
                    Swallows => pending().await,
                }
            }
        };
        let race = first_to_succeed(candidates.to_vec(), Duration::from_millis(5), attempt);
        let outcome = timeout(Duration::from_millis(500), race).await;
        let late = || Err(error(ErrorKind::Timeout, "swallowed"));
        (outcome.unwrap_or_else(|_| late()), begun.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn an_address_that_swallows_does_not_keep_the_next_one_waiting() {
        let check = async |candidates: &[Address], expected: Option<u8>, begun: usize| {
            let (outcome, tried) = run(candidates).await;
            assert_eq!((outcome.ok(), tried), (expected, begun));
        };
        check(&[Answers(1), Answers(2)], Some(1), 1).await;
        check(&[Swallows, Answers(2)], Some(2), 2).await;
        check(&[Refuses, Swallows, Swallows, Refuses, Answers(5)], Some(5), 5).await;
        check(&[Refuses, Refuses], None, 2).await;
        check(&[Refuses, Swallows], None, 2).await;
        check(&[], None, 0).await;
    }
}
