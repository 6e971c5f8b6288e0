"""What samples cost a Redis to take and to keep, as one array and as single elements.
Prints a Markdown table.

A flush is one LPUSH of the 20 samples of measure.py, in one array or as an element each.
The ways take turns, in an order drawn by the seed, so that whatever else the machine
does meets all of them. CPU is what Redis says of itself (INFO cpu): with a flush at a
time, as one client sends them, and with 50 in flight, as from many. Memory is MEMORY
USAGE of the list that they leave.
"""

import argparse
import json
import random
import re
import socket
import statistics
import sys

import measure

KEY = "arrays"
SAMPLES = 20
IN_FLIGHT = [1, 50]


def command(*arguments):
    """A command as Redis reads it."""
    parts = [argument.encode() for argument in arguments]
    lengths = [b"*%d\r\n" % len(parts)]
    return b"".join(lengths + [b"$%d\r\n%s\r\n" % (len(part), part) for part in parts])


class Redis:
    """A connection to one."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.answers = self.socket.makefile("rb")

    def answer(self):
        line = self.answers.readline()
        if line[:1] == b"$":
            return self.answers.read(int(line[1:]) + 2)
        if line[:1] != b":" and line[:1] != b"+":
            sys.exit(f"expected an answer, got {line!r}")
        return line[1:]

    def ask(self, *arguments):
        self.socket.sendall(command(*arguments))
        return self.answer()

    def cpu(self):
        """Microseconds of CPU that it has used, the kernel's work for it included."""
        seconds = re.findall(rb"used_cpu_(?:sys|user):([0-9.]+)", self.ask("INFO", "cpu"))
        return sum(map(float, seconds)) * 1e6


def elements(way, flush):
    encoded = [json.dumps(sample, separators=(",", ":")) for sample in flush]
    return encoded if way == "elements" else [f"[{','.join(encoded)}]"]


def push(redis, commands, in_flight):
    """CPU microseconds and bytes in memory of each sample of those flushes."""
    redis.ask("DEL", KEY)
    before = redis.cpu()
    for begin in range(0, len(commands), in_flight):
        some = commands[begin:begin + in_flight]
        redis.socket.sendall(b"".join(some))
        for _ in some:
            redis.answer()
    cpu = redis.cpu() - before
    size = int(redis.ask("MEMORY", "USAGE", KEY, "SAMPLES", "0"))
    samples = len(commands) * SAMPLES
    return cpu / samples, size / samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--redis", type=int, required=True, help="port of the Redis")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--flushes", type=int, default=2000, help="in each turn")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    flushes = [measure.samples(draw) for _ in range(options.flushes)]
    commands = {
        way: [command("LPUSH", KEY, *elements(way, flush)) for flush in flushes]
        for way in ("elements", "array")
    }
    turns = [(way, in_flight) for way in commands for in_flight in IN_FLIGHT]
    figures = {turn: [] for turn in turns}
    redis = Redis(options.redis)
    for number in range(1 + options.rounds):
        for way, in_flight in draw.sample(turns, len(turns)):
            figure = push(redis, commands[way], in_flight)
            if number > 0:  # the first is to warm up
                figures[way, in_flight].append(figure)
    redis.ask("DEL", KEY)
    rows = {}
    for way in commands:
        cpus = [statistics.median(cpu for cpu, _ in figures[way, many]) for many in IN_FLIGHT]
        rows[way] = [*cpus, statistics.median(size for _, size in figures[way, 1])]
    print(
        f"| A flush of {SAMPLES} samples | CPU µs a sample, a flush at a time "
        f"| {IN_FLIGHT[1]} flushes in flight | Bytes a sample that waits |\n| --- | --- | --- | --- |")
    for way, title in (("elements", "an element each"), ("array", "one array")):
        one, many, size = rows[way]
        print(f"| {title} | {one:.2f} | {many:.2f} | {size:.0f} |")
    ratios = [f"{mine / other:.2f}" for mine, other in zip(rows["array"], rows["elements"])]
    print(f"| the array beside them | {' | '.join(ratios)} |")
    print(f"\n{options.rounds} rounds, seed {options.seed}.", file=sys.stderr)


if __name__ == "__main__":
    main()
