#!/usr/bin/env python3
"""Measures this gateway beside others on this machine, by turns, and prints the
tables of docs/compare.md: what a measurement costs the process that aggregates it,
what a counter and a scrape cost, how soon a push shows, what it costs to idle, and
what a restart loses. tests/peers/run builds what it starts: NAME=BINARY for each."""

import argparse
import contextlib
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import threading
import time

PER_CALL = 20
SERIES = 10_000
BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
QUEUE = "prom-stream-gateway:metric-queue"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sample(at):
    """Half counters, a fifth gauges, the rest histograms; three labels."""
    kind = ["counter", "gauge", "counter", "histogram", "counter", "histogram", "counter", "gauge",
            "counter", "histogram"][at % 10]
    labels = {"host": f"host-{at % 100}", "job": f"job-{at // 100 % 10}", "path": f"/p/{at}"}
    return kind, f"work_{kind}_{at % 7}" + ("_total" if kind == "counter" else ""), labels, 0.25


def calls(count=SERIES // PER_CALL):
    return [[sample(call * PER_CALL + at) for at in range(PER_CALL)] for call in range(count)]


def texts(samples):
    """Prometheus' text, as a client library renders it."""
    lines = {}
    for kind, name, labels, value in samples:
        own = ",".join(f'{key}="{text}"' for key, text in labels.items())
        family = lines.setdefault((name, kind), [])
        if kind == "histogram":
            family += [f'{name}_bucket{{{own},le="{le}"}} {int(value <= le)}' for le in BUCKETS]
            family += [f'{name}_bucket{{{own},le="+Inf"}} 1',
                       f"{name}_sum{{{own}}} {value}", f"{name}_count{{{own}}} 1"]
        else:
            family.append(f"{name}{{{own}}} {value}")
    whole = [f"# TYPE {name} {kind}\n" + "\n".join(of) for (name, kind), of in lines.items()]
    return ("\n".join(whole) + "\n").encode()


def lpush(samples):
    words = [b"LPUSH", QUEUE.encode()]
    for kind, name, labels, value in samples:
        one = {"type": kind, "name": name, "value": value, "labels": labels}
        words.append(json.dumps(one | ({"buckets": BUCKETS} if kind == "histogram" else {})).encode())
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def statsd(samples):
    letter = {"counter": "c", "gauge": "g", "histogram": "h"}
    line = "{}:{}|{}|#{}\n"
    return "".join(
        line.format(name, value, letter[kind], ",".join(f"{k}:{v}" for k, v in labels.items()))
        for kind, name, labels, value in samples).encode()


def number(value):
    """A varint of protobuf."""
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(tag, content):
    """A length-delimited field of protobuf."""
    content = content.encode() if isinstance(content, str) else content
    return number(tag << 3 | 2) + number(len(content)) + content


def otlp(samples):
    """A request of OTLP, with delta temporality."""
    now = struct.pack("<Q", time.time_ns())
    delta, monotonic = number(2 << 3) + number(1), number(3 << 3) + number(1)
    metrics = {}
    for kind, name, labels, value in samples:
        tag = 9 if kind == "histogram" else 7
        point = number(3 << 3 | 1) + now + b"".join(
            field(tag, field(1, key) + field(2, field(1, text))) for key, text in labels.items())
        if kind == "histogram":
            counts = [int(low < value <= high) for low, high in zip([-1e9, *BUCKETS], [*BUCKETS, 1e9])]
            point += number(4 << 3 | 1) + struct.pack("<Q", 1) + number(5 << 3 | 1) + struct.pack("<d", value)
            point += field(6, struct.pack(f"<{len(counts)}Q", *counts))
            point += field(7, struct.pack(f"<{len(BUCKETS)}d", *BUCKETS))
        else:
            point += number(4 << 3 | 1) + struct.pack("<d", value)
        metrics.setdefault((kind, name), b"")
        metrics[kind, name] += field(1, point)
    place, more = {"counter": 7, "gauge": 5, "histogram": 9}, {
        "counter": delta + monotonic, "gauge": b"", "histogram": delta}
    whole = b"".join(field(2, field(1, name) + field(place[kind], points + more[kind]))
                     for (kind, name), points in metrics.items())
    return field(1, field(2, whole))


def post(path, body, kind="text/plain"):
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Peer:
    """A process that aggregates, and how it is fed."""

    acknowledged = True
    scraped = True
    adds_up = True
    # Whether it takes up what is left of a predecessor, once its lease is over.
    recovers = False

    def run(self):
        """Starts what there is to start."""
        self.begin()

    def begin(self):
        """Starts the process that aggregates."""
        raise NotImplementedError

    def __init__(self, binary):
        self.binary, self.port, self.http = os.path.abspath(binary), free_port(), free_port()
        self.processes = []

    def start(self, *command, env=None, cwd=None):
        log = open(os.path.join(self.folder, "log"), "ab")
        env = None if env is None else env | {"PATH": os.environ["PATH"]}
        self.processes.append(subprocess.Popen(
            command, stdout=log, stderr=log, env=env, cwd=cwd or self.folder))

    def __enter__(self):
        self.folder = tempfile.mkdtemp()
        self.run()
        self.listening()
        return self

    def listening(self):
        for port in {self.port, self.http}:
            end = time.monotonic() + 20
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                assert time.monotonic() < end, f"{self.name} does not listen"
                time.sleep(0.01)

    def restart(self, number):
        """Ends what aggregates with a signal, and starts it again; a Redis stays."""
        process = self.processes.pop()
        process.send_signal(number)
        process.wait()
        self.begin()
        self.listening()

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder)

    def request(self, samples):
        raise NotImplementedError

    def cpu(self):
        """Nanoseconds of all its threads so far."""
        total = 0
        for process in self.processes:
            for task in os.listdir(f"/proc/{process.pid}/task"):
                with contextlib.suppress(OSError):
                    total += int(open(f"/proc/{process.pid}/task/{task}/schedstat").read().split()[0])
        return total

    def memory(self):
        return sum(int(line.split()[1]) * 1024 for process in self.processes
                   for line in open(f"/proc/{process.pid}/status") if line.startswith("VmRSS"))

    def settled(self):
        """Waits until it has nothing to do."""
        before = self.cpu()
        while True:
            time.sleep(0.3)
            now = self.cpu()
            if now - before < 3_000_000:
                return now
            before = now

    def read_answer(self, stream):
        """An answer of HTTP."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            assert line, f"{self.name} hung up"
            head += line
        assert head.split()[1].startswith(b"2"), head
        low = head.lower()
        if b"content-length:" in low:
            stream.read(int(low.split(b"content-length:")[1].split()[0]))
        else:
            assert head.split()[1] == b"204", head

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, connection.makefile("rb")

    def feed(self, requests, connections, seconds):
        """Sends calls for so long; returns how many."""
        sent = [0] * connections
        end = time.monotonic() + seconds

        def one(number):
            connection, stream = self.connect()
            at = number
            while time.monotonic() < end:
                connection.sendall(requests[at % len(requests)])
                if self.acknowledged:
                    self.read_answer(stream)
                at += connections
                sent[number] += 1
            connection.close()

        threads = [threading.Thread(target=one, args=(number,)) for number in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(sent)

    def scrape(self):
        return self.timed_scrape()[1]

    def timed_scrape(self):
        """When the first byte of the text came, by the monotonic clock, and all of it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=120)
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        start = answer.read(1)
        return time.monotonic(), start + answer.read()

    def total(self):
        """The sum of all counters of the load."""
        lines = self.scrape().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("work_counter"))


class Ours(Peer):
    redis = False
    name = "this gateway, its own queue"
    settings = {}

    def run(self):
        if self.redis:
            self.start("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "")
        self.begin()

    def begin(self):
        env = {"Http__ListenAddress": f"127.0.0.1:{self.http}",
               "Redis__ConnectionString": f"127.0.0.1:{self.port}" if self.redis else "embedded",
               "Embedded__ListenAddress": f"127.0.0.1:{self.port}"}
        self.start(self.binary, env=env | self.settings)

    def request(self, samples):
        return lpush(samples)

    def read_answer(self, stream):
        answer = stream.readline()
        assert answer.startswith(b":"), answer


class OursOnRedis(Ours):
    redis = True
    name = "this gateway and its Redis"


class OursWithAFile(Ours):
    """Its totals are written when it ends, and each minute."""

    name = "this gateway, its own queue, a state file"
    settings = {"Metrics__StateFile": "state"}


class OursExactlyOnce(OursOnRedis):
    name = "this gateway and its Redis, exactly once"
    settings = {"Redis__Delivery": "exactly-once"}
    recovers = True


class OursByHttp(Ours):
    """By a door; the queue is not pushed to."""

    name = "this gateway, text by HTTP"

    def begin(self):
        env = {"Http__ListenAddress": f"127.0.0.1:{self.port}", "Push__Enabled": "true",
               "Redis__ConnectionString": "embedded",
               "Embedded__ListenAddress": f"unix:{self.folder}/queue"}
        self.http = self.port
        self.start(self.binary, env=env)

    def request(self, samples):
        return post("/metrics/job/j", texts(samples))

    def read_answer(self, stream):
        Peer.read_answer(self, stream)


class OursByOtlp(OursByHttp):
    name = "this gateway, OTLP by HTTP"

    def request(self, samples):
        return post("/v1/metrics", otlp(samples), "application/x-protobuf")


class Datagrams:
    """Calls by a Unix datagram socket, which no call overtakes."""

    acknowledged = False

    def request(self, samples):
        return statsd(samples)

    def connect(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        end = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                connection.connect(f"{self.folder}/statsd")
                return connection, None
            assert time.monotonic() < end, f"{self.name} does not listen"
            time.sleep(0.01)


class OursByStatsd(Datagrams, OursByHttp):
    name = "this gateway, StatsD by a Unix socket"

    def begin(self):
        env = {"Http__ListenAddress": f"127.0.0.1:{self.port}",
               "Redis__ConnectionString": "embedded",
               "Embedded__ListenAddress": f"unix:{self.folder}/queue",
               "Statsd__ListenAddress": f"unix://{self.folder}/statsd",
               "Statsd__Buckets": ",".join(map(str, BUCKETS))}
        self.http = self.port
        self.start(self.binary, env=env)


class Statsd(Peer):
    name = "statsd_exporter, TCP"
    acknowledged = False
    listen = ["--statsd.listen-udp=", "--statsd.listen-tcp=127.0.0.1:{port}"]

    def begin(self):
        config = os.path.join(self.folder, "mapping.yml")
        with open(config, "w") as file:
            file.write("defaults:\n  observer_type: histogram\n  histogram_options:\n"
                       f"    buckets: {BUCKETS}\n")
        listen = [word.format(port=self.port, folder=self.folder) for word in self.listen]
        self.start(self.binary, *listen, f"--web.listen-address=127.0.0.1:{self.http}", f"--statsd.mapping-config={config}",
                   "--log.level=error")

    def request(self, samples):
        return statsd(samples)


class StatsdByUnix(Datagrams, Statsd):
    name = "statsd_exporter, Unix socket"
    listen = ["--statsd.listen-udp=", "--statsd.listen-tcp=127.0.0.1:{port}",
              "--statsd.listen-unixgram={folder}/statsd"]


class Pushgateway(Peer):
    name = "Pushgateway, without its check"
    adds_up = False
    flags = ["--push.disable-consistency-check"]

    def begin(self):
        self.http = self.port
        self.start(self.binary, f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error",
                   *self.flags)

    def request(self, samples):
        return post(f"/metrics/job/j/instance/{samples[0][2]['path'][3:]}", texts(samples))


class CheckingPushgateway(Pushgateway):
    name = "Pushgateway"
    flags = []


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes what vmagent writes."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Vmagent(Peer):
    name = "vmagent, stream aggregation"
    scraped = False
    adds_up = False

    def begin(self):
        sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
        threading.Thread(target=sink.serve_forever, daemon=True).start()
        config = os.path.join(self.folder, "aggregation.yml")
        outputs = {"counter": "sum_samples", "gauge": "last", "histogram": "sum_samples"}
        with open(config, "w") as file:
            for kind, output in outputs.items():
                file.write(f"- match: '{{__name__=~\"work_{kind}.+\"}}'\n  interval: 5s\n"
                           f"  outputs: [{output}]\n")
        self.http = self.port
        self.start(self.binary, f"-httpListenAddr=127.0.0.1:{self.port}",
                   f"-remoteWrite.url=http://127.0.0.1:{sink.server_port}/",
                   f"-remoteWrite.tmpDataPath={self.folder}/data", f"-streamAggr.config={config}",
                   "-loggerLevel=ERROR")

    def request(self, samples):
        return post("/api/v1/import/prometheus", texts(samples))


PEERS = {"gateway": [Ours, OursOnRedis, OursByHttp, OursByOtlp, OursByStatsd],
         "statsd_exporter": [Statsd, StatsdByUnix],
         "pushgateway": [Pushgateway, CheckingPushgateway], "vmagent": [Vmagent]}


def cost(peer, seconds, connections):
    """CPU microseconds for a measurement; measurements a second; the part lost."""
    with peer:
        requests = [peer.request(call) for call in calls()]
        # Series exist before it is measured.
        peer.feed(requests, 1, 1 if peer.name == "Pushgateway" else 0.5)
        before = peer.settled()
        already = peer.total() if peer.scraped and peer.adds_up else 0
        before = peer.settled() if already else before
        begun = time.monotonic()
        sent = peer.feed(requests, connections, seconds)
        took = time.monotonic() - begun
        used = peer.settled() - before
        measured = sent * PER_CALL
        lost = None
        if peer.scraped and peer.adds_up:
            # Half of a call is counters, of 0.25 each.
            lost = 1 - (peer.total() - already) / (sent * PER_CALL / 2 * 0.25)
        return used / 1000 / measured, measured / took, lost


def size(peer, counters):
    """Bytes of memory for a counter; milliseconds of a scrape, to its first byte, and of CPU."""
    with peer:
        empty = peer.memory()
        per_call, group = 500, []
        connection, stream = peer.connect()
        for at in range(counters):
            labels = {"host": f"host-{at % 100}", "job": f"job-{at % 10}", "path": f"/p/{at}"}
            group.append(("counter", f"work_counter_{at % 10}_total", labels, 1))
            if len(group) == per_call:
                connection.sendall(peer.request(group))
                if peer.acknowledged:
                    peer.read_answer(stream)
                group = []
        peer.settled()
        bytes_each = (peer.memory() - empty) / counters
        if not peer.scraped:
            return bytes_each, None, None, None
        first, wall, cpu = [], [], []
        for _ in range(3):
            before, begun = peer.cpu(), time.monotonic()
            came, text = peer.timed_scrape()
            first.append(came - begun)
            wall.append(time.monotonic() - begun)
            cpu.append(peer.cpu() - before)
        shown = text.count(b"\nwork_counter")
        assert shown >= counters * 0.99, f"{peer.name} shows {shown}"
        return (bytes_each, statistics.median(wall) * 1e3, statistics.median(first) * 1e3,
                statistics.median(cpu) / 1e6)


def freshness(peer, tries):
    """Milliseconds from a push to its being on /metrics, median and 99th percentile."""
    if not peer.scraped:
        return None, None
    with peer:
        connection, stream = peer.connect()
        times = []
        for number in range(tries + 5):
            name = f"fresh_{number}"
            request = peer.request([("gauge", name, {"path": f"/p/{number}"}, 1)])
            begun = time.monotonic()
            connection.sendall(request)
            if peer.acknowledged:
                peer.read_answer(stream)
            while name.encode() + b"{" not in peer.scrape():
                pass
            times.append(time.monotonic() - begun)
        times = sorted(times[5:])
        return statistics.median(times) * 1e3, times[int((len(times) - 1) * 0.99)] * 1e3


def idling(peer, seconds):
    """CPU, in per cent of a core, with a scrape each 15 s; MiB of memory."""
    with peer:
        peer.settled()
        before, begun = peer.cpu(), time.monotonic()
        while (left := begun + seconds - time.monotonic()) > 0:
            time.sleep(min(left, 15))
            if peer.scraped:
                peer.scrape()
        return (peer.cpu() - before) / (time.monotonic() - begun) / 1e7, peer.memory() / 2**20


def lost_by(peer, number, counters=5000):
    """How many of twice so many increments are missing after a restart between them."""
    with peer:
        call = [("counter", f"work_counter_{at % 7}_total", {"path": f"/p/{at}"}, 1)
                for at in range(PER_CALL)]
        pushed = 0
        for ends in (True, False):
            connection, stream = peer.connect()
            for _ in range(counters // PER_CALL):
                connection.sendall(peer.request(call))
                if peer.acknowledged:
                    peer.read_answer(stream)
                pushed += PER_CALL
            connection.close()
            # What was acknowledged a second ago is what a restart is to keep.
            time.sleep(1)
            peer.settled()
            if ends:
                peer.restart(number)
        end = time.monotonic() + (90 if peer.recovers else 0)
        while True:
            peer.settled()
            missing = pushed - int(peer.total())
            if missing == 0 or time.monotonic() > end:
                return missing


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binaries", nargs="+", metavar="NAME=BINARY")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--counters", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--idle", type=float, default=16)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    kinds = [(kind, binary) for name, binary in (pair.split("=", 1) for pair in options.binaries)
             for kind in PEERS[name]]
    costs = {kind: [] for kind, _ in kinds}
    for number in range(options.rounds):
        for kind, binary in kinds:
            costs[kind].append(cost(kind(binary), options.seconds, options.connections))
            print(f"round {number}: {kind.name}: {costs[kind][-1]}", flush=True)
    base = statistics.median(c for c, _, _ in costs[kinds[0][0]])
    print("\n| | CPU µs a measurement (least–most) | beside this gateway | lost |")
    print("| --- | ---: | ---: | ---: |")
    for kind, _ in kinds:
        used = [c for c, _, _ in costs[kind]]
        half = statistics.median(used)
        lost = [part for _, _, part in costs[kind] if part is not None]
        lost = f"{max(lost) * 100:.1f} %" if lost and max(lost) > 0.0005 else "none" if lost else ""
        print(f"| {kind.name} | {half:.2f} ({min(used):.2f}–{max(used):.2f}) | {half / base:.1f} | {lost} |")
    shown = [(kind, binary) for kind, binary in kinds if kind is not CheckingPushgateway]
    for counters in options.counters:
        print(f"\n| {counters} counters | bytes each | scrape, ms | its first byte, ms | its CPU, ms |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for kind, binary in shown:
            row(kind, size(kind(binary), counters), 0)
    print("\n| | push to /metrics, ms | 99th percentile |\n| --- | ---: | ---: |")
    for kind, binary in shown:
        row(kind, freshness(kind(binary), 200), 1)
    print("\n| | idle CPU, % of a core | MiB |\n| --- | ---: | ---: |")
    for kind, binary in shown:
        row(kind, idling(kind(binary), options.idle), 3)
    print("\n| of 10,000 increments, half of them before a restart | lost by SIGTERM | by SIGKILL |")
    print("| --- | ---: | ---: |")
    for kind in [Ours, OursWithAFile, OursExactlyOnce, Statsd]:
        binary = next((binary for one, binary in kinds if issubclass(kind, one)), None)
        if binary:
            ends = (signal.SIGTERM, signal.SIGKILL)
            row(kind, [lost_by(kind(binary), number) for number in ends], 0)


def row(kind, figures, digits):
    cells = ["" if figure is None else f"{figure:.{digits}f}" for figure in figures]
    print(f"| {kind.name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
