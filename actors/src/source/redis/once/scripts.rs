//! The scripts: everything that changes what exactly-once delivery keeps in
//! Redis. Each file says what it compares and what it writes; all but the few that
//! work on a record which is not held yet begin with the same fence, `fence.lua`.
//! They run at `maxmemory` too, since there only a commit frees memory.
//!
//! They are sent whole each time (Redis knows them by their hash), so that no
//! flush of its cache and no change of servers matters.

use std::time::Duration;

use redis::cmd;

use super::keys::Keys;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Script {
    pub name: &'static str,
    text: &'static str,
}

/// Each by its flags, and the files that it consists of; the last one names it.
macro_rules! scripts {
    ($($ident:ident = $flags:literal: $($part:literal)*, $name:literal;)+) => {
        $(
            #[doc = concat!("What it does stands at the top of `scripts/", $name, ".lua`.")]
            pub const $ident: Script = Script {
                name: $name,
                text: concat!(
                    "#!lua flags=", $flags, "\n",
                    $(include_str!(concat!("scripts/", $part, ".lua")),)*
                    include_str!(concat!("scripts/", $name, ".lua")),
                ),
            };
        )+

        /// Each with the file that is its own.
        #[cfg(test)]
        const ALL: &[(Script, &str)] =
            &[$(($ident, include_str!(concat!("scripts/", $name, ".lua"))),)+];
    };
}

scripts! {
    LOOK = "no-writes": , "look";
    ACQUIRE = "allow-oom": "deadline", "acquire";
    RENEW = "allow-oom": "fence" "deadline", "renew";
    CLAIM = "allow-oom": "fence" "micros", "claim";
    LENGTHS = "no-writes": "fence", "lengths";
    STAGE = "allow-oom": "fence", "stage";
    COMMIT = "allow-oom": "fence", "commit";
    SWEEP = "allow-oom": "fence", "sweep";
    RELEASE = "allow-oom": "fence", "release";
    FOUND = "allow-oom": "deadline" "micros", "found";
    PUT_BACK = "allow-oom": "deadline", "put_back";
    HOLD = "allow-oom": "deadline", "hold";
    PREPARE = "allow-oom": "fence", "prepare";
    NOTE = "allow-oom": "fence", "note";
    REWRITE = "allow-oom": "fence", "rewrite";
}

/// Who calls: what `fence.lua` compares.
#[derive(Debug, Clone, Copy)]
pub struct Fence<'a> {
    pub epoch: u64,
    pub token: &'a str,
}

/// A packed call of a script.
#[derive(Debug)]
pub struct Call {
    pub name: &'static str,
    command: redis::Cmd,
}

impl Script {
    /// A call with those keys, without arguments yet.
    pub fn call(self, keys: &[&str]) -> Call {
        let mut command = cmd("EVAL");
        command.arg(self.text).arg(keys.len()).arg(keys);
        Call { name: self.name, command }
    }
}

impl Fence<'_> {
    /// A call with those keys, of which the first is the owner hash.
    pub fn call(self, script: Script, keys: &[&str]) -> Call {
        script.call(keys).arg(self.epoch).arg(self.token)
    }

    /// Renews the lease for its whole length.
    pub fn renewal(self, keys: &Keys, lease: Duration) -> Call {
        self.call(RENEW, &[&keys.owner]).arg(lease.as_millis())
    }
}

impl Call {
    /// Adds a number, a revision, or a text.
    pub fn arg(mut self, value: impl ToString) -> Self {
        self.command.arg(value.to_string());
        self
    }

    /// Adds each of these.
    pub fn args<T: ToString>(self, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self, |call, value| call.arg(value))
    }

    /// Adds how many words these are, and each field with its value.
    pub fn fields<F: ToString, V: ToString>(self, fields: &[(F, V)]) -> Self {
        let call = self.arg(fields.len() * 2);
        fields
            .iter()
            .fold(call, |call, (field, value)| call.arg(field.to_string()).arg(value.to_string()))
    }

    pub fn bytes(mut self, value: &[u8]) -> Self {
        self.command.arg(value);
        self
    }

    pub fn pack(&self) -> Vec<u8> {
        self.command.get_packed_command()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_runs_at_maxmemory_and_says_what_it_compares_and_writes() {
        for (script, own) in ALL {
            let (flags, _) = script.text.split_once('\n').unwrap();
            let allowed = ["#!lua flags=allow-oom", "#!lua flags=no-writes"];
            assert!(allowed.contains(&flags), "{}: {flags}", script.name);
            let lines = own.lines().filter(|line| line.starts_with("--"));
            let comment: String = lines.collect();
            assert!(comment.contains("ompares"), "{}", script.name);
            assert!(
                comment.contains("rites")
                    || comment.contains("Empties")
                    || comment.contains("Deletes"),
                "{}",
                script.name
            );
            assert!(comment.contains("KEYS owner"), "{}", script.name);
        }
    }

    #[test]
    fn who_does_not_hold_the_record_yet_alone_passes_the_fence_by() {
        let unfenced = [LOOK, ACQUIRE, FOUND, PUT_BACK, HOLD];
        for (script, _) in ALL {
            let is_fenced = script.text.contains(include_str!("scripts/fence.lua"));
            assert_eq!(is_fenced, !unfenced.contains(script), "{}", script.name);
        }
    }
}
