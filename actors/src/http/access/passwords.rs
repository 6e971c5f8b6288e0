//! Users and their passwords. What is stored of a password is a bcrypt hash,
//! which takes long to check on purpose; so one thread of low priority checks
//! one at a time, by [turns](super::fair_queue) of who asks, and what it found is
//! remembered under a keyed hash.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use bcrypt::HashParts;
use parking_lot::Mutex;
use ring::hmac;
use rustix::process::setpriority_process;
use rustix::thread::gettid;
use tokio::sync::oneshot;

use super::super::conn_slots::PeerNetwork;
use super::fair_queue::FairQueue;

/// Bytes of a password that is looked at; no hash is of more than 72.
const MOST_BYTES: usize = 1024;
const REMEMBERED: usize = 256;
/// How much the thread yields to all others.
const NICENESS: i32 = 10;

pub struct Users {
    hashes: BTreeMap<String, String>,
    /// The costliest of these, to be checked for a user who is not there, so
    /// that time does not tell who is.
    decoy: Option<String>,
}

impl Users {
    /// These; or what is wrong with one, without its hash.
    pub fn new(hashes: BTreeMap<String, String>) -> Result<Self, String> {
        let mut costliest = None;
        for (user, hash) in &hashes {
            let parts = HashParts::from_str(hash).map_err(|_| {
                format!(".{user}: expected a bcrypt hash such as $2y$10$…, got something else")
            })?;
            costliest = costliest.max(Some((parts.get_cost(), hash)));
        }
        let decoy = costliest.map(|(_, hash)| hash.clone());
        Ok(Self { hashes, decoy })
    }

    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.hashes.keys()).finish()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordVerdict {
    Right,
    /// It is not, or there is no such user.
    Wrong,
    Busy,
}

pub struct Passwords {
    jobs: Arc<FairQueue<Job>>,
    key: hmac::Key,
    remembered: Mutex<Remembered>,
}

/// Verdicts by the keyed hash of what they are on. Those on wrong passwords,
/// which anybody can make, don't push out those on right ones.
#[derive(Default)]
struct Remembered {
    right: HashSet<[u8; 32]>,
    wrong: HashSet<[u8; 32]>,
}

struct Job {
    hash: String,
    password: Vec<u8>,
    reply: oneshot::Sender<bool>,
}

impl Passwords {
    /// Starts the thread, which ends with this.
    pub fn start() -> io::Result<Self> {
        let jobs = Arc::new(FairQueue::new());
        let waiting = Arc::clone(&jobs);
        std::thread::Builder::new().name("passwords".into()).spawn(move || check_all(&waiting))?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>());
        Ok(Self { jobs, key, remembered: Mutex::default() })
    }

    /// Whether that is the user's password, as `peer` says.
    pub async fn check(
        &self,
        users: &Users,
        peer: PeerNetwork,
        user: &str,
        password: &[u8],
    ) -> PasswordVerdict {
        if password.len() > MOST_BYTES {
            return PasswordVerdict::Wrong;
        }
        let known = users.hashes.get(user);
        let Some(hash) = known.or(users.decoy.as_ref()) else { return PasswordVerdict::Wrong };
        let tag = self.tag(user, hash, password);
        if let Some(verdict) = self.remembered.lock().get(&tag) {
            return verdict;
        }
        let (reply, verdict) = oneshot::channel();
        let job = Job { hash: hash.clone(), password: password.to_vec(), reply };
        if !self.jobs.bring(peer, job) {
            return PasswordVerdict::Busy;
        }
        let Ok(matches) = verdict.await else { return PasswordVerdict::Busy };
        let verdict = if matches && known.is_some() {
            PasswordVerdict::Right
        } else {
            PasswordVerdict::Wrong
        };
        self.jobs.note(peer, verdict == PasswordVerdict::Wrong);
        self.remembered.lock().insert(tag, verdict);
        verdict
    }

    /// Of user, hash and password: with another hash nothing is remembered.
    fn tag(&self, user: &str, hash: &str, password: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [user.as_bytes(), hash.as_bytes(), password] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        context.sign().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

impl Drop for Passwords {
    fn drop(&mut self) {
        self.jobs.end();
    }
}

impl Remembered {
    fn get(&self, tag: &[u8; 32]) -> Option<PasswordVerdict> {
        if self.right.contains(tag) {
            return Some(PasswordVerdict::Right);
        }
        self.wrong.contains(tag).then_some(PasswordVerdict::Wrong)
    }

    fn insert(&mut self, tag: [u8; 32], verdict: PasswordVerdict) {
        let verdicts = match verdict {
            PasswordVerdict::Right => &mut self.right,
            PasswordVerdict::Wrong => &mut self.wrong,
            PasswordVerdict::Busy => return,
        };
        if verdicts.len() >= REMEMBERED {
            verdicts.clear();
        }
        verdicts.insert(tag);
    }
}

fn check_all(jobs: &FairQueue<Job>) {
    // Where that is not allowed it takes its share like everybody.
    let _ = setpriority_process(Some(gettid()), NICENESS);
    while let Some((_, job)) = jobs.next() {
        // Nobody waits for a client that has left.
        if job.reply.is_closed() {
            continue;
        }
        let matches = bcrypt::verify(&job.password, &job.hash).unwrap_or(false);
        let _ = job.reply.send(matches);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> PeerNetwork {
        PeerNetwork::new(None)
    }

    fn users(pairs: &[(&str, &str, u32)]) -> Users {
        let hash = |password: &str, cost| bcrypt::hash(password, cost).expect("a hash");
        let hashes = pairs.iter().map(|(user, word, cost)| (user.to_string(), hash(word, *cost)));
        Users::new(hashes.collect()).expect("sound hashes")
    }

    #[actix_rt::test]
    async fn only_the_own_password_of_a_user_is_right() {
        let users = users(&[("ann", "one", 4), ("bob", "two", 4)]);
        let passwords = Passwords::start().expect("a thread");
        // Twice, since the second verdict is a remembered one.
        for _ in 0..2 {
            for (user, password, expected) in [
                ("ann", "one", PasswordVerdict::Right),
                ("bob", "two", PasswordVerdict::Right),
                ("ann", "two", PasswordVerdict::Wrong),
                ("ann", "", PasswordVerdict::Wrong),
                ("nobody", "one", PasswordVerdict::Wrong),
                ("", "", PasswordVerdict::Wrong),
            ] {
                let verdict = passwords.check(&users, here(), user, password.as_bytes()).await;
                assert_eq!(verdict, expected, "{user} {password}");
            }
        }
    }

    #[actix_rt::test]
    async fn a_remembered_password_is_forgotten_with_its_hash() {
        let passwords = Passwords::start().expect("a thread");
        let old = users(&[("ann", "one", 4)]);
        assert_eq!(passwords.check(&old, here(), "ann", b"one").await, PasswordVerdict::Right);
        let new = users(&[("ann", "two", 4)]);
        assert_eq!(passwords.check(&new, here(), "ann", b"one").await, PasswordVerdict::Wrong);
        assert_eq!(passwords.check(&new, here(), "ann", b"two").await, PasswordVerdict::Right);
    }

    #[actix_rt::test]
    async fn wrong_passwords_do_not_push_out_right_ones() {
        let users = users(&[("ann", "one", 4)]);
        let passwords = Passwords::start().expect("a thread");
        assert_eq!(passwords.check(&users, here(), "ann", b"one").await, PasswordVerdict::Right);
        for i in 0..=REMEMBERED {
            let word = i.to_string();
            assert_eq!(
                passwords.check(&users, here(), "ann", word.as_bytes()).await,
                PasswordVerdict::Wrong
            );
        }
        assert_eq!(passwords.remembered.lock().right.len(), 1);
        assert!(passwords.remembered.lock().wrong.len() <= REMEMBERED);
    }

    #[test]
    fn who_is_not_there_costs_as_much_as_the_costliest_who_is() {
        let users = users(&[("ann", "one", 4), ("bob", "two", 6), ("cid", "three", 5)]);
        let decoy = users.decoy.as_deref().expect("there are users");
        assert_eq!(HashParts::from_str(decoy).expect("a hash").get_cost(), 6);
    }

    #[test]
    fn hashes_of_other_tools_are_taken_and_nothing_else() {
        // Of htpasswd -nBC 10, and of the toolkit's own documentation.
        let given = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";
        assert!(Users::new(BTreeMap::from([("a".into(), given.into())])).is_ok());
        for bad in ["", "hunter2", "$1$abc", "$2y$10$short"] {
            let error = Users::new(BTreeMap::from([("a".into(), bad.into())])).err();
            let error = error.unwrap_or_else(|| panic!("{bad} is taken"));
            assert!(error.starts_with(".a: expected a bcrypt hash"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
