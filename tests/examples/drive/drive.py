# Pushes once for each line of standard input, with a value that JSON can't
# write where the line says so, and tells how many milliseconds that took.
import datetime
import decimal
import sys
import time

from producer import push_metrics

print("ready", flush=True)
for line in sys.stdin:
    value = [datetime.datetime.now(), decimal.Decimal("1.0")] if line == "odd\n" else [1]
    text = "x" * 20_000_000 if line == "large\n" else ""
    started = time.monotonic()
    samples = [{"type": "counter", "name": "pushed_total", "value": one} for one in value]
    push_metrics(*samples, {"type": "counter", "name": "pushed_total", "value": 1, "help": text})
    print("took", int(1000 * (time.monotonic() - started)), flush=True)
