//! What the pages say of images, examples and releases agrees with what is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use psg_testkit::pages::Block;
use psg_testkit::programs::stdout;

const BINARY: &str = env!("CARGO_BIN_EXE_prom-stream-gateway");

fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn text(relative: &str) -> String {
    fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// The words of each command, as a shell sees them.
fn commands(block: &Block) -> Vec<Vec<String>> {
    // Each word of the lines is shown instead of being run.
    let names = ["docker", "kubectl", "helm", "aws"];
    let shown = |name: &&str| format!("{name}() {{ printf '%s\\n' {name} \"$@\" ''; }}\n");
    let lines: String = names.iter().map(shown).chain([block.text.clone()]).collect();
    let words = stdout(Command::new("bash").args(["-euc", &lines]));
    let commands = words.trim_end().split("\n\n");
    commands.map(|words| words.lines().map(str::to_owned).collect()).collect()
}

/// What follows each of these options.
fn values<'a>(words: &'a [String], options: &[&str]) -> Vec<&'a str> {
    let pairs = words.windows(2).filter(|pair| options.contains(&pair[0].as_str()));
    pairs.map(|pair| pair[1].as_str()).collect()
}

fn check_config(environment: &BTreeMap<String, String>, of: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(BINARY);
    command.arg("check-config").env_clear().envs(environment).current_dir(folder.path());
    let shown = stdout(&mut command);
    assert!(!shown.contains("warning"), "{of}: {shown}");
}

/// The image, its port, its settings and its volume are there. That it runs
/// like that is for `scripts/try-image.sh` to tell.
pub fn containers(blocks: &[Block]) {
    let dockerfile = text("Dockerfile");
    for block in blocks {
        for words in commands(block) {
            assert_eq!(words[..2], ["docker", "run"], "{}", block.place);
            let settings = values(&words, &["-e", "--env"]);
            let settings = settings.iter().map(|pair| pair.split_once('=').expect("NAME=value"));
            check_config(
                &settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                &block.place,
            );
            for ports in values(&words, &["-p", "--publish"]) {
                let inside = ports.rsplit(':').next().expect("a port");
                let is_open = dockerfile.contains(&format!("\nEXPOSE {inside}\n"))
                    || words.contains(&format!("Embedded__ListenAddress=0.0.0.0:{inside}"));
                assert!(is_open, "{}: nothing listens there: {ports}", block.place);
            }
            for volume in values(&words, &["-v", "--volume"]) {
                let inside = volume.split(':').nth(1).expect("FROM:TO");
                let is_known = dockerfile.contains(&format!("/out/folders{inside}\n"))
                    || dockerfile.contains(&format!("\nWORKDIR {inside}\n"));
                assert!(is_known, "{volume}");
            }
            let image = words.iter().find(|word| word.starts_with("ghcr.io/")).expect("an image");
            let (name, tag) = image.rsplit_once(':').expect("a version");
            assert!(text("compose.yaml").contains(&format!("image: {name}:")), "{image}");
            assert_eq!(tag, env!("CARGO_PKG_VERSION"), "{image}");
        }
    }
}

/// The compose file is there and says what it builds. What it starts is held
/// to the program by `tests/judges/packaging.rs`.
pub fn compose(blocks: &[Block]) {
    for block in blocks {
        for words in commands(block) {
            assert_eq!(words[..3], ["docker", "compose", "up"], "{}", block.place);
        }
    }
    let compose: serde_json::Value =
        serde_yaml_ng::from_str(&text("compose.yaml")).expect("it is YAML");
    assert_eq!(compose["services"]["gateway"]["build"], ".");
    assert!(path("Dockerfile").exists());
    let is_there = |arguments: &[&str]| {
        let mut docker = Command::new("docker");
        docker.arg("compose").args(arguments).current_dir(path("."));
        docker.output().is_ok_and(|output| output.status.success())
    };
    if is_there(&["version"]) {
        assert!(is_there(&["config", "--quiet"]), "docker compose refuses it");
    }
}

/// The files are there, the chart has such values, and a secret is one that an
/// example asks for. That Kubernetes, Helm and
/// ECS take them is for `deploy/validate/run` to tell.
pub fn examples(blocks: &[Block]) {
    let chart: serde_json::Value =
        serde_yaml_ng::from_str(&text("deploy/helm/prom-stream-gateway/values.yaml"))
            .expect("it is YAML");
    for block in blocks {
        for words in commands(block) {
            if words[..3] == ["kubectl", "create", "secret"] {
                let (key, _) = words[5]
                    .strip_prefix("--from-literal=")
                    .and_then(|pair| pair.split_once('='))
                    .expect("KEY=VALUE");
                let asked = text("deploy/kubernetes/at-most-once.yaml");
                let is_asked = asked.contains(&format!("name: {}, key: {key}", words[4]));
                assert!(is_asked, "{}: {words:?}", block.place);
                continue;
            }
            let files = words.iter().map(|word| word.trim_start_matches("file://"));
            let files: Vec<&str> = files.filter(|word| word.starts_with("deploy/")).collect();
            assert!(!files.is_empty(), "{}: {words:?}", block.place);
            files.iter().for_each(|file| assert!(path(file).exists(), "{}: {file}", block.place));
            for value in values(&words, &["--set"]) {
                let (key, _) = value.split_once('=').expect("KEY=VALUE");
                let place = key.split('.').fold(&chart, |place, part| &place[part]);
                assert!(!place.is_null(), "{}: the chart has no {key}", block.place);
            }
        }
    }
}

/// In a folder with what a release has, whose sums are made as RELEASING.md says.
pub fn releases_are_verified(blocks: &[Block]) {
    for block in blocks {
        let folder = tempfile::tempdir().expect("a folder");
        let bash = |lines: &str, folder: &Path| {
            let mut bash = Command::new("bash");
            // Where `~/.local/bin` is on the PATH, as on most systems.
            let home = folder.join("home");
            let path = format!("{}:{}", home.join(".local/bin").display(), env!("PATH"));
            bash.env("HOME", home).env("PATH", path);
            stdout(bash.args(["-euo", "pipefail", "-c", lines]).current_dir(folder))
        };
        let releasing = text("RELEASING.md");
        let sum = releasing.lines().find(|line| line.contains("sha256sum")).expect("it makes sums");
        let release = folder.path().join("dist");
        fs::create_dir(&release).expect("a folder");
        fs::copy(BINARY, release.join("prom-stream-gateway-amd64")).expect("a copy");
        fs::write(release.join("sbom.cdx.json"), "{}").expect("a file");
        bash(sum, folder.path());
        // Nobody downloads all of it.
        fs::remove_file(release.join("sbom.cdx.json")).expect("it is there");
        let said = bash(&block.text, &release);
        assert!(said.contains("prom-stream-gateway-amd64: OK"), "{}: {said}", block.place);
        assert!(said.contains(env!("CARGO_PKG_VERSION")), "{}: {said}", block.place);
    }
}

/// Each line begins with a script of this repository, or runs one of its benches.
pub fn scripts(blocks: &[Block]) {
    for block in blocks {
        for line in block.text.lines().filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["cargo", "bench", "--bench", name, ..] => {
                    let manifest = text("Cargo.toml");
                    assert!(manifest.contains(&format!("name = \"{name}\"")), "{line}");
                }
                ["cargo", "build", ..] => assert!(words.contains(&"--release"), "{line}"),
                ["cargo", "install", ..] => {
                    assert_eq!(words[2..], ["--locked", "--path", "."], "{line}");
                    let needed = format!("Rust {} or later", env!("CARGO_PKG_RUST_VERSION"));
                    assert!(text(&block.page).contains(&needed), "{}: {needed}", block.place);
                }
                _ => is_a_script(words[0], &block.place),
            }
        }
    }
}

fn is_a_script(name: &str, place: &str) {
    use std::os::unix::fs::PermissionsExt;
    let about = fs::metadata(path(name)).unwrap_or_else(|error| panic!("{place}: {name}: {error}"));
    assert_ne!(about.permissions().mode() & 0o111, 0, "{place}: {name} can't be run");
    // By ./test, with shellcheck.
    let is_checked = name.starts_with("scripts/") || text("test").contains(name);
    assert!(is_checked, "{place}: nothing looks at {name}");
}
