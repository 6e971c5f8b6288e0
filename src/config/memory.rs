//! How much memory the process may have, by the control groups that a container
//! is made of.

use std::fs;
use std::path::Path;

/// What stands in a file where nothing is bounded is a number beyond this.
const NO_LIMIT: usize = 1 << 60;

/// The least of the limits that hold for this process, in bytes.
pub fn limit() -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    limit_of(&groups, Path::new("/sys/fs/cgroup"))
}

/// By the lines of `/proc/self/cgroup`, `0::/path` for version 2 and
/// `4:memory:/path` for version 1: a group is bounded by those around it too.
fn limit_of(groups: &str, root: &Path) -> Option<usize> {
    let of_group = |line: &str| {
        let (folder, file, path) = match line.splitn(3, ':').collect::<Vec<_>>()[..] {
            ["0", "", path] => (root.to_owned(), "memory.max", path),
            [_, controllers, path] if controllers.split(',').any(|it| it == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes", path)
            }
            _ => return None,
        };
        let groups = Path::new(path.trim_start_matches('/')).ancestors();
        groups.filter_map(|group| number_in(&folder.join(group).join(file))).min()
    };
    groups.lines().filter_map(of_group).min()
}

fn number_in(file: &Path) -> Option<usize> {
    let number = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    (number < NO_LIMIT).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], groups: &str, expected: Option<usize>) {
        let root = tempfile::tempdir().expect("a temporary folder");
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
            fs::write(path, content).expect("it can be written");
        }
        assert_eq!(limit_of(groups, root.path()), expected, "{files:?} {groups}");
    }

    #[test]
    fn the_least_limit_of_the_groups_around_a_process() {
        check(&[], "0::/\n", None);
        check(&[("memory.max", "max\n")], "0::/\n", None);
        check(&[("memory.max", "1000\n")], "0::/\n", Some(1000));
        let nested = [("a/memory.max", "500\n"), ("a/b/memory.max", "max\n")];
        check(&nested, "0::/a/b\n", Some(500));
        check(&nested, "0::/\n", None);
        // The host's name of a group that is the root in here.
        check(&[("memory.max", "7\n")], "0::/system.slice/x.scope\n", Some(7));
    }

    #[test]
    fn the_limit_by_version_1() {
        let old = [("memory/docker/x/memory.limit_in_bytes", "2000\n")];
        check(&old, "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/\n", Some(2000));
        let unbounded = [("memory/memory.limit_in_bytes", "9223372036854771712\n")];
        check(&unbounded, "4:memory:/\n", None);
    }

    #[test]
    fn what_is_no_group_is_passed_over() {
        check(&[("memory.max", "7\n")], "", None);
        check(&[("memory.max", "seven\n")], "0::/\nx\n::\n", None);
    }
}
