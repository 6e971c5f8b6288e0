//! The scripts: everything that changes what exactly-once delivery keeps in
//! Redis. Each is fenced by epoch and token, and each file says what it
//! compares and what it writes. They run at `maxmemory` too, since there only a
//! commit frees memory.
//!
//! They are sent whole each time (Redis knows them by their hash), so that no
//! flush of its cache and no change of servers matters.

use redis::cmd;

/// One script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Script {
    /// For messages.
    pub name: &'static str,
    text: &'static str,
}

macro_rules! scripts {
    ($($ident:ident = $name:literal;)+) => {
        $(
            #[doc = concat!("What it does stands at the top of `scripts/", $name, ".lua`.")]
            pub const $ident: Script =
                Script { name: $name, text: include_str!(concat!("scripts/", $name, ".lua")) };
        )+

        #[cfg(test)]
        const ALL: &[Script] = &[$($ident,)+];
    };
}

scripts! {
    LOOK = "look";
    ACQUIRE = "acquire";
    RENEW = "renew";
    CLAIM = "claim";
    LENGTHS = "lengths";
    STAGE = "stage";
    COMMIT = "commit";
    SWEEP = "sweep";
    RELEASE = "release";
    FOUND = "found";
    PUT_BACK = "put_back";
}

/// A packed call of a script.
#[derive(Debug)]
pub struct Call {
    /// For messages.
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

impl Call {
    /// Adds a number or a stamp.
    pub fn arg(mut self, value: impl ToString) -> Self {
        self.command.arg(value.to_string());
        self
    }

    /// Adds bytes.
    pub fn bytes(mut self, value: &[u8]) -> Self {
        self.command.arg(value);
        self
    }

    /// The command's bytes.
    pub fn pack(&self) -> Vec<u8> {
        self.command.get_packed_command()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_runs_at_maxmemory_and_says_what_it_compares_and_writes() {
        for script in ALL {
            let (flags, words) = script.text.split_once('\n').unwrap();
            let allowed = ["#!lua flags=allow-oom", "#!lua flags=no-writes"];
            assert!(allowed.contains(&flags), "{}: {flags}", script.name);
            let comment: String = words.lines().take_while(|line| line.starts_with("--")).collect();
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
}
