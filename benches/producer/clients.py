"""What the packages in clients/ cost, beside a program that pushes by itself: prints
a Markdown table.

Each package has a program `clients/LANGUAGE/tests/bench`, a process that stays and
keeps its connection. Arguments: the way, a file of samples, the port of a Redis. For
each line on standard input it does one invocation, then prints its wall and CPU
nanoseconds. The ways:

- raw: without the package, as a user would write it: each of the 20 samples encoded
  as JSON, one LPUSH;
- client: the same samples by 20 calls and a flush;
- loop: a thousand increments of one counter with three labels, and a flush.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
LANGUAGES = {"PHP": "php", "Python": "python", "Node.js": "node", "Go": "go"}
WAYS = ["raw", "client", "loop"]

# What the client may cost, beside raw; and an increment of the loop, beside one sample of raw.
MOST_OF_A_CLIENT = 1.3
MOST_OF_AN_INCREMENT = 0.1


def program_of(language):
    """The program of a language's package, if there is one."""
    path = os.path.join(HERE, "../../clients", LANGUAGES[language], "tests/bench")
    return os.path.normpath(path) if os.access(path, os.X_OK) else None


def figures_of(workers, options, draw):
    """CPU microseconds by language and way, the same index in the same round."""
    figures = {key: [] for key in workers}
    for turn in range(measure.WARM_UP + options.rounds):
        for key in draw.sample(list(workers), len(workers)):
            _, cpu = workers[key].invoke()
            if turn >= measure.WARM_UP:
                figures[key].append(cpu)
    return figures


def row(language, figures):
    """The line of a language, and what in it is more than it should be."""
    raw, client, loop = (figures[language, way] for way in WAYS)
    of_client = statistics.median(mine / max(other, 1) for mine, other in zip(client, raw))
    of_increment = statistics.median(
        mine / 1000 / max(other / 20, 1e-3) for mine, other in zip(loop, raw))
    line = (
        f"| {language} | {statistics.median(raw):.0f} | {statistics.median(client):.0f} "
        f"| {of_client:.2f} | {statistics.median(loop) / 1000:.2f} | {of_increment:.3f} |")
    faults = []
    if of_client > MOST_OF_A_CLIENT:
        faults.append(f"{language}: expected at most {MOST_OF_A_CLIENT} of raw, got {of_client:.2f}")
    if of_increment >= MOST_OF_AN_INCREMENT:
        faults.append(
            f"{language}: expected an increment below {MOST_OF_AN_INCREMENT} of a sample, "
            f"got {of_increment:.3f}")
    return line, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--redis", type=int, required=True, help="port of the Redis")
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    programs = {language: program_of(language) for language in LANGUAGES}
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "samples.json")
        with open(file, "w", encoding="utf-8") as out:
            json.dump(measure.samples(draw), out)
        workers = {
            (language, way): measure.Worker([program, way, file, str(options.redis)])
            for language, program in programs.items() if program for way in WAYS
        }
        figures = figures_of(workers, options, draw)
        for worker in workers.values():
            worker.end()
    print(
        "| Client | CPU µs, raw | with the client | raw = 1 | µs for each of 1000 increments "
        "| one sample of raw = 1 |\n| --- | --- | --- | --- | --- | --- |")
    faults = []
    for language, program in programs.items():
        if program is None:
            print(f"| {language} | not measured | | | | |")
            continue
        line, some = row(language, figures)
        faults += some
        print(line)
    print(f"\n{options.rounds} rounds, seed {options.seed}.", file=sys.stderr)
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
