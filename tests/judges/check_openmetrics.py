"""Reads an OpenMetrics exposition from standard input with the reference parser.

Exit status: 0 well-formed, 1 not (and why on standard error), 3 the package
prometheus_client is not installed.
"""

import sys

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    sys.exit(3)

try:
    families = list(text_string_to_metric_families(sys.stdin.buffer.read().decode("utf-8")))
except ValueError as error:
    sys.exit(f"not OpenMetrics: {error}")

if not families:
    sys.exit("not one family")
