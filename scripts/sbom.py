#!/usr/bin/env python3
"""Prints the software bill of materials of the shipped binary: CycloneDX 1.5, as
JSON. All crates that it is compiled from, with versions, licences, and the
checksums that Cargo.lock holds; those that only the compilation uses (procedural
macros, build scripts) have the scope `excluded`. The same sources give the same
bytes.

    scripts/sbom.py [TARGET] > sbom.cdx.json
"""

import json
import re
import subprocess
import sys
import tomllib
from urllib.parse import quote

TARGET = sys.argv[1] if len(sys.argv) > 1 else "x86_64-unknown-linux-musl"
PRODUCT = "prom-stream-gateway"
# Depth, name, version, licence; what stands in brackets is a path, that it is a
# procedural macro, or that its dependencies stood above.
LINE = re.compile(r"(\d+)\|(\S+) v(\S+)(?: \(.*\))?\|(.*?)(?: \(\*\))?")


def tree(edges):
    """What the binary depends on by these edges, and nothing that only tests ask
    for: licences and direct dependencies by (name, version)."""
    command = ["cargo", "tree", "--locked", "--package", PRODUCT, "--target", TARGET]
    command += ["--edges", edges, "--prefix", "depth", "--format", "|{p}|{l}"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    licences, needs, above = {}, {}, []
    for line in output.splitlines():
        match = LINE.fullmatch(line)
        if not match:
            sys.exit(f"expected a line of cargo tree, got {line!r}")
        depth, name, version, licence = match.groups()
        package = (name, version)
        licences[package] = licence
        needs.setdefault(package, set())
        above[int(depth):] = [package]
        if len(above) > 1:
            needs[above[-2]].add(package)
    return licences, needs


def reference(package):
    name, version = package
    return f"pkg:cargo/{name}@{quote(version)}"


def component(package, licence, checksum=None, only_compiling=False):
    name, version = package
    entry = {"type": "library", "bom-ref": reference(package), "name": name, "version": version}
    if only_compiling:
        entry["scope"] = "excluded"
    if checksum:
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if licence:
        # "MIT/Apache-2.0" is an old way to write it.
        entry["licenses"] = [{"expression": licence.replace("/", " OR ")}]
    entry["purl"] = reference(package)
    return entry


def main():
    with open("Cargo.lock", "rb") as file:
        locked = tomllib.load(file)["package"]
    checksums = {(p["name"], p["version"]): p.get("checksum") for p in locked}
    licences, needs = tree("normal,build")
    running, _ = tree("normal,no-proc-macro")
    listed = sorted(licences, key=reference)
    root = next(package for package in listed if package[0] == PRODUCT)
    product = {**component(root, licences[root]), "type": "application"}
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": product, "properties": [{"name": "target", "value": TARGET}]},
        "components": [
            component(package, licences[package], checksums[package], package not in running)
            for package in listed
            if package != root
        ],
        "dependencies": [
            {"ref": reference(package), "dependsOn": sorted(map(reference, needs[package]))}
            for package in listed
        ],
    }
    json.dump(bom, sys.stdout, indent=2)
    print()


main()
