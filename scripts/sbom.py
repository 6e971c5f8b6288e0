#!/usr/bin/env python3
"""Prints the software bill of materials of the shipped binary: CycloneDX 1.5, as
JSON. All crates that are compiled into it, with versions, licences, and the
checksums that Cargo.lock holds. The same sources give the same bytes.

    scripts/sbom.py [TARGET] > sbom.cdx.json
"""

import json
import subprocess
import sys
import tomllib

TARGET = sys.argv[1] if len(sys.argv) > 1 else "x86_64-unknown-linux-musl"
PRODUCT = "prom-stream-gateway"


def metadata():
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def shipped(resolve, root):
    """What is compiled for the target: dependencies that are not for tests."""
    edges = {node["id"]: node["deps"] for node in resolve["nodes"]}
    found, waiting = set(), [root]
    while waiting:
        package = waiting.pop()
        if package in found:
            continue
        found.add(package)
        for dependency in edges[package]:
            if any(kind["kind"] in (None, "build") for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    return found, edges


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, checksums):
    entry = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    }
    if package["license"]:
        # "MIT/Apache-2.0" is an old way to write it.
        expression = package["license"].replace("/", " OR ")
        entry["licenses"] = [{"expression": expression}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return entry


def main():
    with open("Cargo.lock", "rb") as file:
        locked = tomllib.load(file)["package"]
    checksums = {(p["name"], p["version"]): p.get("checksum") for p in locked}
    data = metadata()
    packages = {package["id"]: package for package in data["packages"]}
    root = next(id for id, package in packages.items() if package["name"] == PRODUCT)
    found, edges = shipped(data["resolve"], root)
    listed = sorted((packages[id] for id in found), key=reference)
    product = {**component(packages[root], {}), "type": "application"}
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": product, "properties": [{"name": "target", "value": TARGET}]},
        "components": [component(p, checksums) for p in listed if p["id"] != root],
        "dependencies": [
            {
                "ref": reference(package),
                "dependsOn": sorted(
                    {reference(packages[d["pkg"]]) for d in edges[package["id"]] if d["pkg"] in found}
                ),
            }
            for package in listed
        ],
    }
    json.dump(bom, sys.stdout, indent=2)
    print()


main()
