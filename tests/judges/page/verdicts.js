// What the status page says of made-up statuses: its verdict is a pure function, and not
// all that it knows can be had from a gateway in a moment.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const folder = path.join(__dirname, "../../../actors/src/http/page");
const source = ["units.js", "verdict.js"].map((name) => fs.readFileSync(path.join(folder, name), "utf8"));
const verdictOf = vm.runInThisContext(`(() => { ${source.join("\n")}\nreturn verdictOf; })()`);

const rates = (processed, rejected = 0) => ({ received: processed + rejected, processed, rejected });
const many = (value, length = 60) => Array(length).fill(value);

/** A gateway that takes a thousand samples a second, but for what `other` says. */
function status(other = {}) {
  return {
    unready: null,
    uptime_seconds: 1000,
    queue: { source: "redis", up: true, pending: 0, lag_seconds: null },
    samples: { processed: 5000, rejected: 0, last_10_seconds: rates(1000), last_minute: rates(1000) },
    rejects: [],
    series: { total: 10, limit: 1000 },
    shards: [{ busy: 0.1 }, { busy: 0.2 }],
    scrapes: { total: 9, last_seconds_ago: 4 },
    checkpoints: null,
    settings: [],
    history: { processed: many(1000), rejected: many(0), pending: many(0) },
    ...other,
  };
}

const queue = (other) => ({ source: "redis", up: true, pending: 0, lag_seconds: null, ...other });
/** A backlog that moves by so much each second, and what is taken of it. */
const backlog = (now, growth, taken = 1000) => status({
  queue: queue({ pending: now, lag_seconds: 90 }),
  samples: { processed: 5000, rejected: 0, last_10_seconds: rates(taken), last_minute: rates(taken) },
  history: { processed: many(taken), rejected: many(0), pending: many(0).map((_, index) => now - (59 - index) * growth) },
});
const idle = (processed, history) => status({
  samples: { processed, rejected: 0, last_10_seconds: rates(0), last_minute: rates(0) },
  history: { processed: history, rejected: history.map(() => 0), pending: history.map(() => 0) },
});
const pushedElsewhere = (processed) => status({
  queue: queue({ key: "q", errors: { wrong_key: 3 } }),
  samples: { processed, rejected: 0, last_10_seconds: rates(processed ? 1000 : 0), last_minute: rates(0) },
});
const toKey = (processed, ago) => {
  const other = { key: "app:q", database: 0, pushes: 3, last_seconds_ago: ago, advice: "set Redis.MetricQueueKey=app:q" };
  const made = pushedElsewhere(processed);
  return { ...made, queue: { ...made.queue, other_keys: [other] } };
};
const rejecting = (processed, rejected) => status({
  samples: { processed, rejected, last_10_seconds: rates(processed, rejected), last_minute: rates(processed, rejected) },
  rejects: [{ reason: "bad_ttl", last_minute: 1 }, { reason: "invalid_json", last_minute: rejected * 60 - 1 }],
});

// What is known, the level, the headline, and a part of each problem.
const cases = [
  ["all is well", status(), "good", "Ingesting 1,000 samples/s", []],
  ["nothing yet", idle(0, many(0)), "idle", "Waiting for the first sample", []],
  ["idle", idle(7, [...many(0, 10), 5, ...many(0, 42)]), "idle", "Idle for 42 s", []],
  ["idle for longer than is known", idle(7, many(0, 300)), "idle", "Idle for 5 min or longer", []],
  ["redis is away", status({ queue: queue({ up: false, trouble: "redis is not reachable" }), unready: "refused" }), "bad", "Redis is not reachable", [/^refused What waits stays in Redis/]],
  ["a wrong password", status({ queue: queue({ up: false, trouble: "redis refuses the login" }), unready: "WRONGPASS" }), "bad", "Redis refuses the login", [/^WRONGPASS/]],
  ["redis was never asked", status({ queue: queue({ up: false }), unready: "redis has not answered yet" }), "bad", "Redis has not answered yet", [/^redis has not/]],
  ["pushes to another key", pushedElsewhere(0), "warn", "Pushes go to another key", [/^3 pushes to another key refused the queue's key is q:/]],
  ["pushes to another key too", pushedElsewhere(5000), "good", "Ingesting 1,000 samples/s", [/^3 pushes to another key/]],
  ["pushes to a key that is known", toKey(0, 3), "warn", "Pushes go to another key", [/^3 pushes to app:q of database 0 refused the queue is q; set Redis/]],
  ["pushes to a key that is known, beside others", toKey(5000, 3), "warn", "Ingesting 1,000 samples/s", [/^3 pushes to app:q/]],
  ["pushes to a key that is known, long ago", toKey(5000, 3000), "good", "Ingesting 1,000 samples/s", [/^3 pushes to app:q/]],
  ["two gateways", status({ queue: queue({ consumers: 2 }), settings: [{ name: "Redis.Delivery", value: "at-most-once" }] }), "warn", "Ingesting 1,000 samples/s", [/^2 gateways take from this queue/]],
  ["an owner and a standby", status({ queue: queue({ consumers: 2 }), settings: [{ name: "Redis.Delivery", value: "exactly-once" }] }), "good", "Ingesting 1,000 samples/s", []],
  ["one sample", status({ samples: { processed: 1, rejected: 0, last_10_seconds: rates(0.1), last_minute: rates(0.1) } }), "good", "Ingesting 1 sample/s", []],
  ["standby", status({ unready: "standby: another gateway owns the queue" }), "idle", "Standing by", [/^standby.* takes over when it is gone/]],
  ["standby for long", status({ unready: "standby: another", checkpoints: { last_seconds_ago: null, failures: 0 } }), "idle", "Standing by", [/^standby/]],
  ["loading", status({ unready: "the state file is being loaded" }), "bad", "Not ready", [/^the state file/]],
  ["a small backlog", backlog(900, 40), "good", "Ingesting 1,000 samples/s", []],
  ["one of a few seconds", backlog(4900, 40), "good", "Ingesting 1,000 samples/s", []],
  ["one that grows", backlog(50_000, 500), "warn", "Falling behind", [/^50,000 elements wait, the graphs are 1 min 30 s behind growing by 500\/s/]],
  ["one that stands", backlog(50_000, 0), "warn", "Falling behind", [/do not get fewer/]],
  ["one that shrinks", backlog(50_000, -500), "warn", "Catching up", [/gone in about 1 min 40 s/]],
  ["one that nobody takes", backlog(50_000, 500, 0), "bad", "Nothing is taken", [/none is taken/]],
  ["one that is not known", status({ queue: queue({ pending: null }), history: { processed: many(1000), rejected: many(0), pending: many(null) } }), "good", "Ingesting 1,000 samples/s", []],
  ["few rejects", rejecting(1000, 1), "warn", "Ingesting 1,000 samples/s", [/^60 samples rejected in the last minute \(0\.1 %\) mostly invalid_json/]],
  ["many rejects", rejecting(900, 100), "warn", "Ingesting 900 samples/s", [/^6,000 samples .* \(10 %\)/]],
  ["nothing but rejects", rejecting(0, 100), "warn", "Ingesting 0 samples/s", [/\(100 %\)/]],
  ["hardly any room", status({ series: { total: 950, limit: 1000 } }), "warn", "Ingesting 1,000 samples/s", [/^Room for 50 more series only/]],
  ["no room", status({ series: { total: 1000, limit: 1000 } }), "bad", "Series limit reached", [/^No room for new series/]],
  ["no room for bytes", status({ series: { total: 10, limit: 1000, bytes: 2048, bytes_limit: 2048 } }), "bad", "Series limit reached", [/^Labels of series take 2\.0 KiB of 2\.0 KiB/]],
  ["the graver first", { ...rejecting(900, 100), series: { total: 1000, limit: 1000 } }, "bad", "Series limit reached", [/^No room/, /^6,000 samples/]],
  ["below what the alert fires at", status({ series: { total: 800, limit: 1000 } }), "good", "Ingesting 1,000 samples/s", []],
  ["a busy shard", status({ shards: [{ busy: 0.2 }, { busy: 0.95 }] }), "warn", "Ingesting 1,000 samples/s", [/^Shard 1 is busy/]],
  ["no scrape", status({ scrapes: { total: 0, last_seconds_ago: null } }), "warn", "Ingesting 1,000 samples/s", [/^Nothing has scraped/]],
  ["no scrape of late", status({ scrapes: { total: 3, last_seconds_ago: 900 } }), "warn", "Ingesting 1,000 samples/s", [/^No scrape for 15 min/]],
  ["no scrape yet, but young", status({ uptime_seconds: 30, scrapes: { total: 0, last_seconds_ago: null } }), "good", "Ingesting 1,000 samples/s", []],
  ["homes that take", status({ partitions: { homes: [{ undelivered_seconds: 0.4 }, { undelivered_seconds: 59 }] } }), "good", "Ingesting 1,000 samples/s", []],
  ["a home that does not take", status({ partitions: { homes: [{ undelivered_seconds: 0.4 }, { undelivered_seconds: 90 }] } }), "bad", "Ingesting 1,000 samples/s", [/^Samples have waited 1 min 30 s for the home of partition 1/]],
  ["kept safe", status({ checkpoints: { last_seconds_ago: 50, failures: 0 } }), "good", "Ingesting 1,000 samples/s", []],
  ["not kept safe", status({ checkpoints: { last_seconds_ago: 400, failures: 7 } }), "warn", "Ingesting 1,000 samples/s", [/^Totals were last kept safe 6 min 40 s ago/]],
  ["never kept safe", status({ checkpoints: { last_seconds_ago: null, failures: 7 } }), "warn", "Ingesting 1,000 samples/s", [/^Totals were never kept safe/]],
  ["kept safe seldom, as asked for", status({ checkpoints: { last_seconds_ago: 400, failures: 0 }, settings: [{ name: "Redis.CheckpointIntervalSeconds", value: "300" }] }), "good", "Ingesting 1,000 samples/s", []],
];

for (const [what, known, level, text, problems] of cases) {
  const verdict = verdictOf(known);
  assert.equal(verdict.text.replaceAll("\u00a0", " "), text, what);
  assert.equal(verdict.level, level, what);
  const said = verdict.problems.map((problem) => `${problem.text} ${problem.more ?? ""}`.replaceAll("\u00a0", " "));
  assert.equal(said.length, problems.length, `${what}: ${said.join("; ")}`);
  problems.forEach((problem, index) => assert.match(said[index], problem, what));
}
