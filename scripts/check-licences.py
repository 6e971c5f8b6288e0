#!/usr/bin/env python3
"""Whether every crate that is built has a licence that deny.toml allows and comes
from crates.io or this repository: what `cargo deny check licenses sources` asks,
for machines without cargo-deny, which takes minutes to build.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def crates(target):
    """Every crate of the tree for one target, development's included."""
    command = ["cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={target}"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    used = {node["id"] for node in metadata["resolve"]["nodes"]}
    return [package for package in metadata["packages"] if package["id"] in used]


def holds(expression, allowed):
    """Whether an SPDX expression can be met by allowed licences alone."""
    tokens = re.findall(r"[()]|[^\s()/]+|/", expression)
    words = []
    while tokens:
        token = tokens.pop(0)
        if token == "WITH":
            words[-1] = f"{words[-1]} WITH {tokens.pop(0)}"
        else:
            words.append("OR" if token == "/" else token)

    def either():
        met = both()
        while words and words[0] == "OR":
            words.pop(0)
            met = both() or met
        return met

    def both():
        met = one()
        while words and words[0] == "AND":
            words.pop(0)
            met = one() and met
        return met

    def one():
        word = words.pop(0)
        if word != "(":
            return word in allowed
        met = either()
        words.pop(0)
        return met

    return either() and not words


def checks_itself():
    """That the check can fail."""
    allowed = {"MIT", "Apache-2.0 WITH LLVM-exception"}
    met = ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(GPL-3.0 OR MIT) AND MIT", "Apache-2.0 WITH LLVM-exception"]
    unmet = ["GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(GPL-3.0 AND MIT) OR BSD-2-Clause"]
    assert all(holds(expression, allowed) for expression in met), met
    assert not any(holds(expression, allowed) for expression in unmet), unmet


def main():
    checks_itself()
    rules = tomllib.loads((ROOT / "deny.toml").read_text())
    allowed = set(rules["licenses"]["allow"])
    found = {crate["id"]: crate for target in rules["graph"]["targets"] for crate in crates(target)}
    faults = set()
    for crate in found.values():
        name = f"{crate['name']} {crate['version']}"
        if crate["source"] not in (None, REGISTRY):
            faults.add(f"{name}: expected crates.io as its source, got {crate['source']}")
        if crate["source"] and not holds(crate["license"] or "none", allowed):
            faults.add(f"{name}: expected licences that deny.toml allows, got {crate['license']}")
    print("\n".join(sorted(faults)) or f"{len(found)} crates")
    return 1 if faults else 0


sys.exit(main())
