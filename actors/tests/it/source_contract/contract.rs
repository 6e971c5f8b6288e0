//! What every source does: hands out everything, once, in order, soon, and ends
//! when it is told to.

use std::collections::HashSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use psg_actors::source::QueueSource;

use super::queues::{Element, Embedded, MAX_ELEMENT, RedisList, TestQueue, take, take_many, whole};
use crate::server::PATIENCE;

/// The same tests for each source.
macro_rules! contract {
    ($($test:ident),+ $(,)?) => {
        mod redis {
            $(#[tokio::test]
            async fn $test() {
                super::$test::<super::RedisList>().await;
            })+
        }
        mod embedded {
            $(#[tokio::test]
            async fn $test() {
                super::$test::<super::Embedded>().await;
            })+
        }
    };
}

contract! {
    a_backlog_is_handed_out_once_and_in_order,
    what_comes_by_and_by_is_handed_out,
    any_bytes_are_handed_out_as_they_are,
    two_workers_share_a_backlog,
    elements_over_the_bound_are_cut,
    a_stop_loses_nothing,
    a_stop_ends_waiting_at_once,
    an_element_is_seen_soon,
    empty_pops_are_counted,
}

/// The element of that number; sizes vary from 7 to some 300 bytes.
fn element(number: usize) -> Vec<u8> {
    format!("{number:07}{}", "x".repeat(number * 7919 % 300)).into_bytes()
}

fn elements(numbers: Range<usize>) -> Vec<Vec<u8>> {
    numbers.map(element).collect()
}

fn push(queue: &impl TestQueue, numbers: Range<usize>) {
    for page in elements(numbers).chunks(5000) {
        queue.push(page);
    }
}

async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn a_backlog_is_handed_out_once_and_in_order<Q: TestQueue>() {
    let queue = Q::start();
    push(&queue, 0..100_000);
    assert_eq!(queue.left(), 100_000);
    let taken = take_many(&mut queue.source(0), 100_000).await;
    assert!(taken == elements(0..100_000), "order or content changed");
    assert_eq!(queue.left(), 0);
}

async fn what_comes_by_and_by_is_handed_out<Q: TestQueue>() {
    let queue = Q::start();
    let mut source = queue.source(0);
    for first in (0..500).step_by(5) {
        push(&queue, first..first + 5);
        assert_eq!(take_many(&mut source, 5).await, elements(first..first + 5));
    }
}

async fn any_bytes_are_handed_out_as_they_are<Q: TestQueue>() {
    let queue = Q::start();
    let pushed: Vec<Vec<u8>> = vec![
        Vec::new(),
        (0..=255).collect(),
        b"\r\n$3\r\n*1\r\n".to_vec(),
        vec![0; MAX_ELEMENT],
        Vec::new(),
    ];
    queue.push(&pushed);
    assert_eq!(take_many(&mut queue.source(0), pushed.len()).await, pushed);
}

async fn two_workers_share_a_backlog<Q: TestQueue>() {
    let queue = Q::start();
    push(&queue, 0..100_000);
    let taken: Vec<Vec<Vec<u8>>> = std::thread::scope(|scope| {
        let drain = |worker| {
            let mut source = queue.source(worker);
            scope.spawn(move || runtime().block_on(drain(&mut source)))
        };
        let workers = [drain(0), drain(1)];
        let drained = || runtime().block_on(eventually("drained", || queue.left() == 0));
        scope.spawn(drained).join().unwrap();
        queue.stop();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let distinct: HashSet<&Vec<u8>> = taken.iter().flatten().collect();
    assert_eq!(distinct.len(), 100_000);
    assert_eq!(taken.iter().map(Vec::len).sum::<usize>(), 100_000);
    assert!(taken.iter().all(|elements| elements.is_sorted()), "order within a worker");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn drain(source: &mut impl QueueSource) -> Vec<Vec<u8>> {
    let mut taken = Vec::new();
    while let Some(elements) = take(source).await.unwrap() {
        taken.extend(elements.into_iter().map(whole));
    }
    taken
}

async fn elements_over_the_bound_are_cut<Q: TestQueue>() {
    let queue = Q::start();
    let (fits, large) = (vec![b'f'; MAX_ELEMENT], vec![b'l'; MAX_ELEMENT + 1]);
    let huge = vec![b'h'; 20_000_000];
    queue.push(&[b"first".to_vec(), large, b"second".to_vec(), fits.clone(), huge, b"last".into()]);
    let mut source = queue.source(0);
    let mut taken = Vec::new();
    while taken.len() < 6 {
        taken.extend(take(&mut source).await.unwrap().unwrap());
    }
    let cut = |byte, length| Element::TooLarge { head: vec![byte; 512], length };
    let expected = vec![
        Element::Whole(b"first".to_vec()),
        cut(b'l', MAX_ELEMENT as u64 + 1),
        Element::Whole(b"second".to_vec()),
        Element::Whole(fits),
        cut(b'h', 20_000_000),
        Element::Whole(b"last".to_vec()),
    ];
    assert!(taken == expected);
}

async fn a_stop_loses_nothing<Q: TestQueue>() {
    for pages in [0, 1, 3, 10] {
        let queue = Q::start();
        push(&queue, 0..50_000);
        let mut source = queue.source(0);
        let mut taken = Vec::new();
        for _ in 0..pages {
            taken.extend(take(&mut source).await.unwrap().unwrap().into_iter().map(whole));
        }
        queue.stop();
        taken.extend(drain(&mut source).await);
        assert_eq!(taken.len() + queue.left(), 50_000, "after {pages} pages");
        assert!(taken == elements(0..taken.len()));
        assert!(take(&mut source).await.unwrap().is_none(), "ended is for good");
    }
}

async fn a_stop_ends_waiting_at_once<Q: TestQueue>() {
    let queue = Q::start();
    let mut source = queue.source(0);
    let (end, stopped_at) = tokio::join!(take(&mut source), async {
        eventually("it has looked", || queue.empty_pops() > 0).await;
        queue.stop();
        Instant::now()
    });
    assert_eq!(end.unwrap(), None);
    assert!(stopped_at.elapsed() < Duration::from_secs(1), "{:?}", stopped_at.elapsed());
}

async fn an_element_is_seen_soon<Q: TestQueue>() {
    let queue = Q::start();
    let mut source = queue.source(0);
    let mut delays = Vec::new();
    for number in 0..30 {
        let (taken, pushed_at) =
            tokio::join!(async { (take(&mut source).await.unwrap(), Instant::now()) }, async {
                let pushed_at = Instant::now();
                push(&queue, number..number + 1);
                pushed_at
            });
        let (elements, taken_at) = taken;
        assert_eq!(elements, Some(vec![Element::Whole(element(number))]));
        delays.push(taken_at.duration_since(pushed_at));
    }
    delays.sort();
    assert!(delays[15] < Duration::from_millis(20), "median {:?}", delays[15]);
}

async fn empty_pops_are_counted<Q: TestQueue>() {
    let queue = Q::start();
    let mut source = queue.source(0);
    let (first, ()) = tokio::join!(take(&mut source), async {
        eventually("it has looked", || queue.empty_pops() == 1).await;
        push(&queue, 0..1);
    });
    assert_eq!(first.unwrap(), Some(vec![Element::Whole(element(0))]));
    assert_eq!(queue.empty_pops(), 1);
}
