"""What one invocation of a producer pays for its 20 samples, by the way in which
it tells them. Prints a Markdown table and writes the chart.

Each way is a process that stays, as a worker of PHP-FPM or a warm function does,
and but for one way opens its connection anew in each invocation. In each round all ways have
one turn, in an order drawn by the seed, so that whatever else the machine does
meets all of them.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

import chart

HERE = os.path.dirname(os.path.abspath(__file__))
WARM_UP = 20

# Language, way, what it is, round trips (without those of connecting).
WAYS = [
    ("PHP", "push-all", "php-redis, one LPUSH", 1),
    ("PHP", "push-all-kept", "the same, its connection kept", 1),
    ("PHP", "push-each", "php-redis, 20 LPUSH", 20),
    ("PHP", "render", "PromPHP in memory, rendered", 0),
    ("PHP", "render-post", "the same, and POST to a Pushgateway", 1),
    ("PHP", "post", "POST to a Pushgateway alone", 1),
    ("Python", "push-all", "redis-py, one LPUSH", 1),
    ("Python", "push-all-kept", "the same, its connection kept", 1),
    ("Python", "push-each", "redis-py, 20 LPUSH", 20),
    ("Python", "render", "prometheus_client in memory, rendered", 0),
    ("Python", "render-post", "the same, and POST to a Pushgateway", 1),
]


def samples(draw):
    """10 counters, 4 gauges and 6 histograms of 10 buckets, three labels each."""

    def sample(number, kind, **more):
        labels = {
            "function": "checkout",
            "route": f"/api/v1/things/{draw.randrange(5)}",
            "outcome": draw.choice(["ok", "refused", "failed"]),
        }
        return {
            "type": kind, "name": f"shop_{kind}_{number}", "help": f"The {kind} number {number}.",
            "labels": labels, **more,
        }

    bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
    counters = [sample(n, "counter", value=draw.randrange(1, 9)) for n in range(10)]
    gauges = [sample(n, "gauge", value=round(draw.random() * 100, 2)) for n in range(4)]
    histograms = [
        sample(n, "histogram", value=round(draw.expovariate(3), 4), buckets=bounds)
        for n in range(6)
    ]
    return counters + gauges + histograms


PROGRAMS = {
    "PHP": ["php", "-d", "opcache.enable_cli=1", f"{HERE}/invocation.php"],
    "Python": [sys.executable, f"{HERE}/invocation.py"],
}


class Worker:
    """The process of one way."""

    def __init__(self, command, **environment):
        self.process = subprocess.Popen(
            command, env={**os.environ, **environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def invoke(self):
        """Wall and CPU time of one invocation, in microseconds."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(self.process.args)} has ended")
        wall, cpu = line.split()
        return int(wall) / 1000, int(cpu) / 1000

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


def rendered(some):
    """The text of the samples, for those who only send it."""
    import invocation  # of this folder
    import prometheus_client

    return prometheus_client.generate_latest(invocation.aggregated(some))


def measure(ways, options, draw):
    """Lists of (wall, CPU) by way, the same index in the same round."""
    with tempfile.TemporaryDirectory() as folder:
        some = samples(draw)
        file, text = os.path.join(folder, "samples.json"), os.path.join(folder, "text")
        with open(file, "w", encoding="utf-8") as out:
            json.dump(some, out)
        with open(text, "wb") as out:
            out.write(rendered(some))
        arguments = [file, str(options.redis), str(options.pushgateway)]
        workers = {
            way: Worker([*PROGRAMS[way[0]], way[1], *arguments], TEXT_FILE=text) for way in ways
        }
        figures = {way: [] for way in ways}
        for turn in range(WARM_UP + options.rounds):
            for way in draw.sample(ways, len(ways)):
                figure = workers[way].invoke()
                if turn >= WARM_UP:
                    figures[way].append(figure)
        for worker in workers.values():
            worker.end()
        return figures


def p95(values):
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def row(way, figures, base):
    """What a way comes to; `base` is its language's one LPUSH."""
    walls, cpus = zip(*figures[way])
    ratios = [mine[1] / max(other[1], 1) for mine, other in zip(figures[way], figures[base])]
    return {
        "wall": statistics.median(walls), "wall_p95": p95(walls),
        "cpu": statistics.median(cpus), "cpu_p95": p95(cpus),
        "ratio": statistics.median(ratios),
    }


def table(rows):
    lines = [
        "| Way | Round trips | Wall µs, median | p95 | CPU µs, median | p95 | CPU, one LPUSH = 1 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (language, _, title, trips), found in rows:
        if found is None:
            lines.append(f"| {language}: {title} | {trips} | not measured | | | | |")
            continue
        lines.append(
            f"| {language}: {title} | {trips} | {found['wall']:.0f} | {found['wall_p95']:.0f} "
            f"| {found['cpu']:.0f} | {found['cpu_p95']:.0f} | {found['ratio']:.1f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--redis", type=int, required=True, help="port of the Redis")
    parser.add_argument("--pushgateway", type=int, required=True, help="port of the Pushgateway")
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chart", help="where the SVG goes")
    options = parser.parse_args()
    has_promphp = bool(os.environ.get("PROMPHP_AUTOLOAD"))
    draw = random.Random(options.seed)
    absent = set() if has_promphp else {"render", "render-post"}
    ways = [way for way in WAYS if way[0] != "PHP" or way[1] not in absent]
    figures = measure(ways, options, draw)
    base = {way[0]: way for way in ways if way[1] == "push-all"}
    rows = [(way, row(way, figures, base[way[0]]) if way in figures else None) for way in WAYS]
    print(table(rows))
    print(f"\n{options.rounds} rounds, seed {options.seed}.", file=sys.stderr)
    if options.chart:
        with open(options.chart, "w", encoding="utf-8") as out:
            out.write(chart.svg([(way, found) for way, found in rows if found]))


if __name__ == "__main__":
    main()
