"""Reads dashboards, named as arguments, into Grafana's own types and back.

Exit status: 0 nothing was lost or changed, 1 something was (and what on standard
error), 3 the package grafana_foundation_sdk is not installed.
"""

import json
import sys

try:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard
except ImportError:
    sys.exit(3)

# What the types leave to the datasource's plugin.
OF_PLUGINS = {"/annotations/list/target", "/annotations/list/titleFormat"}


def differences(sent, read, place=""):
    if isinstance(sent, dict) and isinstance(read, dict):
        for name, value in sent.items():
            inner = f"{place}/{name}"
            if inner in OF_PLUGINS:
                continue
            if name in read:
                yield from differences(value, read[name], inner)
            else:
                yield f"Grafana knows no {inner}"
    elif isinstance(sent, list) and isinstance(read, list) and len(sent) == len(read):
        for value, same in zip(sent, read):
            yield from differences(value, same, place)
    elif sent != read:
        yield f"{place}: {sent!r} becomes {read!r}"


# Panels and queries have types of their own.
register_default_plugins()
faults = []
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        sent = json.load(file)
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(sent)))
    faults += [f"{path}: {fault}" for fault in differences(sent, read)]
if faults:
    sys.exit("\n".join(faults))
