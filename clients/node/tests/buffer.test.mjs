// What calls become: few samples, in order, and none that the gateway would refuse.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { recording, random } from "./support/record.mjs";

test("a thousand increments are one sample", async () => {
  const { metrics, samples } = recording();
  for (let at = 0; at < 1000; at++) metrics.counter("x_total", { a: "b" });
  assert.deepEqual(await samples(), [
    { type: "counter", name: "x_total", labels: { a: "b" }, value: 1000 },
  ]);
  metrics.counter("x_total", { a: "b" }, 2.5);
  assert.deepEqual(await samples(), [
    { type: "counter", name: "x_total", labels: { a: "b" }, value: 2.5 },
  ]);
  assert.deepEqual(await samples(), []);
});

test("labels have no order, and numbers and booleans are texts", async () => {
  const { metrics, samples } = recording({ labels: { app: "shop", b: "x" } });
  metrics.counter("x_total", { a: 200, b: true });
  metrics.counter("x_total", { b: "true", a: "200" });
  metrics.counter("x_total", { b: true, a: "200", app: "shop" });
  metrics.counter("x_total", { b: true, a: 200, c: "", d: null, e: undefined });
  metrics.counter("x_total", { a: 201, app: null, b: null });
  assert.deepEqual(await samples(), [
    {
      type: "counter",
      name: "x_total",
      labels: { a: "200", app: "shop", b: "true" },
      value: 4,
    },
    { type: "counter", name: "x_total", labels: { a: "201" }, value: 1 },
  ]);
});

test("labels and values that run into each other are different series", async () => {
  const { metrics, samples } = recording();
  metrics.counter("x_total", { a: "b", c: "d" });
  metrics.counter("x_total", { a: 'b","c":"d' });
  metrics.counter("x_total", { a: "b" });
  metrics.counter("x_total");
  metrics.gauge("x_total").inc();
  assert.equal((await samples()).length, 5);
});

/** What the gateway makes of a gauge's samples. */
function gaugeOf(samples) {
  let gauge;
  for (const { op = "set", value } of samples) {
    if (op === "set") gauge = value;
    else if (op === "add") gauge = (gauge ?? 0) + value;
    else gauge = gauge === undefined ? value : Math[op](gauge, value);
  }
  return gauge;
}

test("operations on a gauge are merged, and come to the same", async () => {
  for (let round = 0; round < 200; round++) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const { of, below } = random(seed);
    const { metrics, samples } = recording();
    const calls = Array.from({ length: 1 + below(12) }, () => ({
      op: of(["set", "add", "max", "min"]),
      value: below(20) - 10,
    }));
    for (const { op, value } of calls) metrics.gauge("g")[op](value);
    const sent = await samples();
    const shown = `seed ${seed}: ${JSON.stringify({ calls, sent })}`;
    assert.equal(gaugeOf(sent), gaugeOf(calls), shown);
    sent.slice(1).forEach((sample, at) => {
      assert.notEqual(sample.op, sent[at].op, shown);
      assert.ok(sample.op, shown);
    });
  }
});

test("inc and dec add", async () => {
  const { metrics, samples } = recording();
  const gauge = metrics.gauge("jobs_running", { queue: "mail" });
  gauge.inc();
  gauge.inc();
  gauge.dec();
  gauge.add(-3);
  const labels = { queue: "mail" };
  assert.deepEqual(await samples(), [
    { type: "gauge", name: "jobs_running", labels, op: "add", value: -2 },
  ]);
});

test("many observations of a histogram are counts, few are values", async () => {
  const bounds = [0.1, 0.5, 1];
  for (let round = 0; round < 100; round++) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const { below, of } = random(seed);
    const { metrics, samples } = recording();
    const values = Array.from({ length: 1 + below(80) }, () =>
      of([0.05, 0.1, 0.25, 0.5, 1, 3, -1]),
    );
    for (const value of values) metrics.histogram("h", value, {}, bounds);
    const [sample, ...more] = await samples();
    assert.deepEqual(more, []);
    assert.deepEqual(sample.buckets, bounds);
    if (values.length === 1) {
      assert.deepEqual([sample.value], values);
    } else if (values.length <= 32) {
      assert.deepEqual(sample.values, values);
    } else {
      const cumulative = [...bounds, Infinity].map(
        (bound) => values.filter((value) => value <= bound).length,
      );
      const counts = cumulative.map(
        (count, at) => count - (cumulative[at - 1] ?? 0),
      );
      assert.deepEqual(sample.counts, counts, `seed ${seed}`);
      const sum = values.reduce((total, value) => total + value, 0);
      assert.ok(Math.abs(sample.sum - sum) < 1e-9, `seed ${seed}`);
    }
  }
});

test("counts that were made elsewhere are added", async () => {
  const { metrics, samples, said } = recording();
  metrics.histogram("h", 2, {}, [1, 2]);
  metrics.histogramCounts("h", [1, 2], [1, 0, 4], 50);
  metrics.histogramCounts("h", [1, 3], [1, 0, 4], 50);
  metrics.histogramCounts("h", [1, 2], [1, 0], 50);
  metrics.histogramCounts("h", [1, 2], [1, 0, 0.5], 50);
  assert.deepEqual(await samples(), [
    {
      type: "histogram",
      name: "h",
      buckets: [1, 2],
      counts: [1, 1, 4],
      sum: 52,
    },
  ]);
  assert.deepEqual(metrics.dropped, { bad_buckets: 1, invalid_field: 2 });
  assert.equal(said.length, 2);
});

test("a description, buckets and quantiles hold for a name", async () => {
  const { metrics, samples, said } = recording({ buckets: [1, Infinity] });
  const unit = "seconds";
  metrics.describe("a_seconds", { help: "A.", unit, buckets: [1, 5], ttl: 60 });
  metrics.describe("b_seconds", { quantiles: [0.5, 0.99, 1] });
  metrics.describe("c_bytes", { help: "C.", unit });
  metrics.describe("d_seconds_total", { unit });
  metrics.histogram("a_seconds", 3, {}, [7]);
  metrics.summary("b_seconds", 3, { a: 1 }, [0.1]);
  metrics.summary("b_seconds", 4, { a: 2 });
  metrics.gauge("c_bytes").set(1);
  metrics.counter("d_seconds_total");
  metrics.histogram("e_seconds", 1);
  const objectives = {
    quantiles: [0.5, 0.99, 1],
    epsilons: [0.05, 0.001, 0.0001],
  };
  const [a, b1, b2, c, d, e] = await samples();
  const { help, ttl, buckets } = a;
  assert.deepEqual(
    { help, ttl, buckets, unit: a.unit },
    { help: "A.", ttl: 60, buckets: [1, 5], unit },
  );
  for (const { quantiles, epsilons } of [b1, b2]) {
    assert.deepEqual({ quantiles, epsilons }, objectives);
  }
  assert.equal(c.unit, undefined);
  assert.equal(c.help, "C.");
  assert.equal(d.unit, unit);
  assert.deepEqual(e.buckets, [1]);
  assert.match(said.join("\n"), /invalid_unit: .*c_bytes/);
  assert.deepEqual(metrics.dropped, {});
});

test("a name that is described late is told from then on", async () => {
  const { metrics, samples } = recording();
  metrics.counter("x_total");
  metrics.describe("x_total", { help: "X." });
  metrics.counter("x_total");
  const sent = await samples();
  assert.equal(
    sent.reduce((total, { value }) => total + value, 0),
    2,
  );
  assert.equal(sent.at(-1).help, "X.");
});

test("what can't be sent is dropped, counted and told once", async () => {
  const circular = {};
  circular.self = circular;
  const hostile = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error("no");
      },
    },
  );
  const bad = {
    invalid_name: [
      (metrics) => metrics.counter(" \u2003\n"),
      (metrics) => metrics.counter("a\ud800"),
      (metrics) => metrics.counter(""),
      (metrics) => metrics.counter(circular),
      (metrics) => metrics.gauge(undefined).set(1),
    ],
    invalid_label_name: [
      (metrics) => metrics.counter("x_total", { "": "c" }),
      (metrics) => metrics.counter("x_total", { "\udc00": "c" }),
      (metrics) => metrics.counter("x_total", { __é: "c" }),
      (metrics) => metrics.counter("x_total", { __a: "c" }),
      (metrics) => metrics.histogram("x", 1, { le: "1" }),
      (metrics) => metrics.summary("x", 1, { quantile: "1" }),
    ],
    invalid_label_value: [
      (metrics) => metrics.counter("x_total", circular),
      (metrics) => metrics.counter("x_total", { a: Symbol("a") }),
      (metrics) => metrics.counter("x_total", { a: () => {} }),
    ],
    name_too_long: [
      (metrics) => metrics.counter("x".repeat(513)),
      (metrics) => metrics.counter("é".repeat(257)),
      (metrics) => metrics.counter("x_total", { ["é".repeat(257)]: "c" }),
    ],
    label_too_long: [
      (metrics) => metrics.counter("x_total", { a: "x".repeat(2049) }),
    ],
    invalid_field: [
      (metrics) => metrics.counter("x_total", {}, 1n),
      (metrics) => metrics.counter("x_total", {}, "1"),
      (metrics) => metrics.counter("x_total", {}, null),
      (metrics) => metrics.counter("x_total", null),
      (metrics) => metrics.counter("x_total", "text"),
      (metrics) => metrics.counter("x_total", ["text"]),
      (metrics) => metrics.counter("x_total", hostile),
      (metrics) => metrics.histogram("x", circular),
      (metrics) => metrics.histogram("y", 1, {}, circular),
    ],
    non_finite: [
      (metrics) => metrics.counter("x_total", {}, NaN),
      (metrics) => metrics.gauge("x").add(-Infinity),
      (metrics) => metrics.summary("x", Infinity),
    ],
    negative_counter: [(metrics) => metrics.counter("x_total", {}, -1)],
    bad_buckets: [
      (metrics) => metrics.histogram("x1", 1, {}, [2, 1]),
      (metrics) => metrics.histogram("x2", 1, {}, []),
      (metrics) => metrics.histogram("x3", 1, {}, ["1"]),
      (metrics) => metrics.histogram("x4", 1, {}, [NaN]),
    ],
    bad_quantiles: [(metrics) => metrics.summary("x5", 1, {}, [2])],
  };
  for (const [reason, calls] of Object.entries(bad)) {
    const { metrics, samples, said } = recording();
    for (const call of [...calls, ...calls]) call(metrics);
    assert.deepEqual(metrics.dropped, { [reason]: calls.length * 2 });
    assert.equal(said.length, 1, said.join("\n"));
    assert.match(said[0], new RegExp(reason));
    assert.deepEqual(await samples(), []);
  }
});

test("a total that would be infinite stays what it was", async () => {
  const { metrics, samples } = recording();
  metrics.counter("x_total", {}, 1e308);
  metrics.counter("x_total", {}, 1e308);
  metrics.gauge("g").add(-1e308);
  metrics.gauge("g").add(-1e308);
  metrics.histogram("h", 1e308);
  metrics.histogram("h", 1e308);
  const sent = await samples();
  assert.deepEqual(
    sent.map(({ value }) => value),
    [1e308, -1e308, 1e308],
  );
  assert.deepEqual(metrics.dropped, { non_finite: 3 });
});

test("names are of any script", async () => {
  const { metrics, samples } = recording();
  const names = ["größe.total", "温度", "😀\n ", '"\\', "1x", "a:b", "U__a"];
  for (const name of names) metrics.counter(name, { [name]: "x" });
  assert.deepEqual(metrics.dropped, {});
  assert.deepEqual(
    (await samples()).map(({ name, labels }) => [name, labels]),
    names.map((name) => [name, { [name]: "x" }]),
  );
});

test("half a surrogate pair is replaced", async () => {
  const { metrics, samples } = recording();
  metrics.describe("x_total", { help: "\ud800" });
  metrics.counter("x_total", { a: "a\udc00😀" });
  const [{ labels, help }] = await samples();
  assert.deepEqual(
    { labels, help },
    { labels: { a: "a\ufffd😀" }, help: "\ufffd" },
  );
});

test("a log that throws and options that make no sense throw nothing", async () => {
  const { metrics, samples } = recording({
    log: () => {
      throw new Error("no");
    },
    buckets: [2, 1],
    timeout: -1,
    maxSeries: NaN,
  });
  metrics.counter(" ");
  metrics.histogram("h", 1);
  const [{ buckets }] = await samples();
  assert.equal(buckets.length, 11);
});

test("many samples are few arrays of 64 KiB at most, in their order", async () => {
  const { metrics, pushes } = recording({ maxSeries: 3_000 });
  for (let at = 0; at < 2_999; at++) {
    metrics.counter("x_total", { at, text: "\u20ac".repeat(at % 500) });
  }
  await metrics.flush();
  const [elements, ...more] = pushes;
  assert.deepEqual(more, []);
  const sizes = elements.map((element) => Buffer.byteLength(element));
  assert.ok(Math.max(...sizes) <= 64 * 1024);
  // Only the last one has room left for another sample.
  assert.ok(Math.min(...sizes.slice(0, -1)) > 64 * 1024 - 2_000);
  const order = elements
    .flatMap((element) => JSON.parse(element))
    .map(({ labels }) => Number(labels.at));
  assert.deepEqual(
    order,
    Array.from({ length: 2_999 }, (_, at) => at),
  );
});

test("several samples are one array, and one that is alone is none", async () => {
  const { metrics, pushes } = recording();
  for (const count of [1, 2, 100]) {
    for (let at = 0; at < count; at++) metrics.counter("x_total", { at });
    await metrics.flush();
    const [[element, ...more]] = pushes.splice(0);
    assert.deepEqual(more, []);
    assert.equal(Array.isArray(JSON.parse(element)), count > 1);
    assert.equal([JSON.parse(element)].flat().length, count);
  }
});

test("many observations of a summary are several samples", async () => {
  const { metrics, pushes } = recording();
  const values = Array.from({ length: 9_000 }, (_, at) => at / 7);
  for (const value of values) metrics.summary("s_seconds", value, { a: "b" });
  await metrics.flush();
  const samples = pushes.flat().flatMap((element) => JSON.parse(element));
  assert.ok(samples.every((sample) => JSON.stringify(sample).length <= 32_000));
  assert.deepEqual(
    samples.flatMap((sample) => sample.values),
    values,
  );
});

test("a sample beyond 32 KB is dropped, the others are sent", async () => {
  const { metrics, samples } = recording();
  const large = Object.fromEntries(
    Array.from({ length: 20 }, (_, at) => [`l${at}`, "x".repeat(2_000)]),
  );
  metrics.counter("x_total", large);
  metrics.counter("y_total");
  assert.deepEqual(
    (await samples()).map(({ name }) => name),
    ["y_total"],
  );
  assert.deepEqual(metrics.dropped, { payload_too_large: 1 });
});

test("a full buffer flushes by itself", async () => {
  const { metrics, pushes, samples } = recording({
    maxSeries: 10,
    maxObservations: 5,
  });
  for (let at = 0; at < 25; at++) metrics.counter("x_total", { at });
  await metrics.flush();
  assert.deepEqual(
    pushes.map(([element]) => JSON.parse(element).length),
    [10, 10, 5],
  );
  await samples();
  for (let at = 0; at < 12; at++) metrics.summary("s", at);
  assert.deepEqual(
    (await samples()).map(({ values }) => values.length),
    [5, 5, 2],
  );
  assert.deepEqual(metrics.dropped, {});
});

test("series of any number are forgotten again, and lose nothing", async () => {
  const { metrics, samples } = recording({ maxSeries: 100 });
  let total = 0;
  for (let at = 0; at < 5_000; at++) {
    metrics.counter("x_total", { at });
    metrics.counter("x_total", { at: at % 7 });
    if (at % 40 === 0) {
      for (const { value } of await samples()) total += value;
    }
  }
  for (const { value } of await samples()) total += value;
  assert.equal(total, 10_000);
});

test("series that were sent take no more and more memory", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc");
  const { metrics, samples } = recording({ maxSeries: 100 });
  const used = () => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  for (let at = 0; at < 20_000; at++) {
    metrics.counter("x_total", { text: String(at).padEnd(2_000, "x") });
    if (at % 50 === 0) await samples();
  }
  await samples();
  // All of them would be 40 MB, and as much again for what is sent.
  const grown = used() - before;
  assert.ok(grown < 10e6, `it has grown by ${grown} bytes`);
});

test("nothing is recorded where it is disabled", async () => {
  for (const [value, expected] of [
    ["1", 0],
    ["0", 1],
    ["", 1],
  ]) {
    process.env.PROM_STREAM_GATEWAY_DISABLED = value;
    const { metrics, samples } = recording();
    delete process.env.PROM_STREAM_GATEWAY_DISABLED;
    metrics.counter("x_total");
    metrics.counter(" ");
    assert.equal((await samples()).length, expected);
    assert.equal(Object.keys(metrics.dropped).length, expected);
  }
});
