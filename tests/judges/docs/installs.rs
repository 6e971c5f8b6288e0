//! How the packages in `clients/` are installed from a clone of the repository: as
//! the page says, in a folder beside it, where a program then takes them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::packages::{LANGUAGES, Language, is_expected};
use psg_testkit::pages::Block;
use psg_testkit::root;

/// A language on the page and in blocks; whether what installs is here, and reaches
/// its registry, after what a program's folder has at first.
struct Installer {
    title: &'static str,
    block: &'static str,
    probe: &'static str,
}

/// Composer needs no registry for this, since the package asks for no other.
const INSTALLERS: [Installer; 4] = [
    Installer {
        title: "PHP",
        block: "php",
        probe: "composer init --no-interaction --name=example/program && \
            composer config --global repositories.packagist.org false",
    },
    Installer {
        title: "Python",
        block: "python",
        probe: "python3 -m venv venv && venv/bin/pip download --no-deps -d wheels hatchling",
    },
    Installer {
        title: "Node.js",
        block: "javascript",
        probe: "npm init --yes && npm view ioredis version",
    },
    Installer {
        title: "Go",
        block: "go",
        probe: "go mod init example.org/program && go mod download github.com/redis/go-redis/v9@v9.18.0",
    },
];

impl Installer {
    fn language(&self) -> &'static Language {
        LANGUAGES.iter().find(|language| language.block == self.block).expect("it has a package")
    }

    /// Runs a line in the program's folder; what it said if it failed.
    fn run(folder: &Path, line: &str) -> Result<(), String> {
        let program = folder.join("program");
        let path = std::env::var("PATH").expect("there is a PATH");
        let output = Command::new("bash")
            .args(["-euc", line])
            .current_dir(&program)
            .env("PATH", format!("{}:{path}", program.join("venv/bin").display()))
            .env("COMPOSER_HOME", folder.join("composer"))
            .env("COMPOSER_ALLOW_SUPERUSER", "1")
            .env("PSG_CACHE", root().join(".cache/clients"))
            .output()
            .map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(format!("{line}: {said}")) }
    }

    /// Runs the program that takes it, with the other libraries that it takes too.
    fn take_the_package(&self) -> String {
        let name = format!("probe.{}", self.language().ending);
        match self.block {
            "php" => format!("php {name}"),
            "python" => format!("pip install prometheus_client && python {name}"),
            "javascript" => format!("node {name}"),
            _ => format!("go build {name}"),
        }
    }
}

/// A folder for a program, beside a clone.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clone = folder.path().join("prom-stream-gateway");
    symlink(root(), clone).expect("the folder can be written");
    fs::create_dir(folder.path().join("program")).expect("the folder can be written");
    folder
}

/// The lines below the comment with that title.
fn lines_of<'a>(block: &'a Block, title: &str) -> Vec<&'a str> {
    let comment = format!("# {title}");
    let lines = block.text.lines().skip_while(|line| **line != comment).skip(1);
    lines.take_while(|line| !line.starts_with('#')).collect()
}

/// Each package is there afterwards.
pub fn from_a_clone(blocks: &[Block]) {
    for block in blocks {
        for installer in &INSTALLERS {
            let folder = folder();
            let run = |line: &str| Installer::run(folder.path(), line);
            let is_here = run(installer.probe).is_ok();
            if !is_expected(is_here, &format!("installer for {}", installer.title)) {
                continue;
            }
            let lines = lines_of(block, installer.title);
            assert!(!lines.is_empty(), "{}: {} has no line", block.place, installer.title);
            let language = installer.language();
            let probe = folder.path().join("program/probe").with_extension(language.ending);
            fs::write(probe, language.probe).expect("the folder can be written");
            for line in lines.into_iter().chain([&*installer.take_the_package()]) {
                run(line).unwrap_or_else(|said| panic!("{}: {said}", block.place));
            }
        }
    }
}
