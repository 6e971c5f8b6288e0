// prom-client itself as the instrumented code: what is pushed adds up to what its
// registry has.
import assert from "node:assert/strict";
import { test } from "node:test";
import promClient from "prom-client";
import { PromClientBridge } from "prom-stream-gateway/prom-client";
import { random, recording } from "./support/record.mjs";

const { Counter, Gauge, Histogram, Registry, Summary } = promClient;

function instrumented() {
  const registry = new Registry();
  registry.setDefaultLabels({ app: "shop" });
  const registers = [registry];
  const labelNames = ["queue"];
  const help = "Help.";
  const buckets = [0.1, 0.5, 1];
  return {
    registry,
    counter: new Counter({ name: "c_total", help, labelNames, registers }),
    plain: new Counter({ name: "plain_total", help, registers }),
    gauge: new Gauge({ name: "g", help, labelNames, registers }),
    histogram: new Histogram({
      name: "h",
      help,
      labelNames,
      buckets,
      registers,
    }),
    summary: new Summary({ name: "s", help, labelNames, registers }),
  };
}

/** What the gateway makes of samples, in the form of `totalsOf`. */
function received(totals, samples) {
  for (const { type, name, labels, value, buckets, counts, sum } of samples) {
    const add = (suffix, more, by) => {
      const key = `${name}${suffix} ${JSON.stringify({ ...labels, ...more })}`;
      totals[key] = (totals[key] ?? 0) + by;
    };
    if (type === "gauge") {
      totals[`${name} ${JSON.stringify(labels)}`] = value;
    } else if (type === "counter") {
      add("", {}, value);
    } else {
      let below = 0;
      counts.forEach((count, at) => {
        below += count;
        add("_bucket", { le: String(buckets[at] ?? "+Inf") }, below);
      });
      add("_sum", {}, sum);
      add("_count", {}, below);
    }
  }
}

async function totalsOf(registry) {
  const totals = {};
  for (const { name, values } of await registry.getMetricsAsJSON()) {
    for (const { metricName = name, labels, value } of values) {
      const { le, quantile, app, queue } = labels;
      if (quantile !== undefined) continue;
      const kept = { app, queue, le: le === undefined ? le : String(le) };
      totals[`${metricName} ${JSON.stringify(kept)}`] = value;
    }
  }
  return totals;
}

function near(got, expected, seed) {
  assert.deepEqual(Object.keys(got).sort(), Object.keys(expected).sort(), seed);
  for (const [key, value] of Object.entries(expected)) {
    const off = Math.abs(got[key] - value);
    assert.ok(
      off < 1e-9,
      `${seed}: ${key}: expected ${value}, got ${got[key]}`,
    );
  }
}

test("what is pushed adds up to what the registry has", async () => {
  for (let round = 0; round < 20; round++) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const { below, of, next } = random(seed);
    const { registry, counter, plain, gauge, histogram, summary } =
      instrumented();
    const { metrics, samples } = recording();
    const bridge = new PromClientBridge(metrics, registry);
    const totals = {};
    for (let call = 0; call < 200; call++) {
      const labels = { queue: of(["mail", "sms"]) };
      of([
        () => counter.inc(labels, below(5)),
        () => plain.inc(),
        () => gauge.set(labels, next() - 0.5),
        () => histogram.observe(labels, next() * 1.2),
        () => histogram.observe(labels, -next()),
        () => summary.observe(labels, next()),
      ])();
      if (below(40) > 0) continue;
      await Promise.all([bridge.flush(), bridge.flush()]);
      received(totals, await samples());
    }
    await bridge.flush();
    received(totals, await samples());
    assert.deepEqual(metrics.dropped, {});
    near(totals, await totalsOf(registry), `seed ${seed}`);
  }
});

test("nothing is pushed again, but gauges", async () => {
  const { registry, counter, gauge, histogram } = instrumented();
  const { metrics, samples } = recording();
  const bridge = new PromClientBridge(metrics, registry);
  counter.inc({ queue: "mail" }, 2);
  gauge.set({ queue: "mail" }, 3);
  histogram.observe({ queue: "mail" }, 0.3);
  await bridge.flush();
  const first = await samples();
  // A counter without labels is there from its beginning, as in prom-client.
  assert.deepEqual(
    first.map(({ name, value }) => `${name} ${value}`),
    ["c_total 2", "plain_total 0", "g 3", "h undefined"],
  );
  assert.ok(first.every(({ help }) => help === "Help."));
  await bridge.flush();
  assert.deepEqual(
    (await samples()).map(({ name }) => name),
    ["g"],
  );
});

test("after a reset the counts begin at 0", async () => {
  const { registry, counter, histogram, summary } = instrumented();
  const { metrics, samples } = recording();
  const bridge = new PromClientBridge(metrics, registry);
  const totals = {};
  const observe = () => {
    counter.inc({ queue: "mail" }, 2);
    histogram.observe({ queue: "mail" }, 0.3);
    summary.observe({ queue: "mail" }, 0.3);
  };
  for (const times of [3, 1]) {
    for (let time = 0; time < times; time++) observe();
    await bridge.flush();
    received(totals, await samples());
    registry.resetMetrics();
  }
  const labels = '{"app":"shop","queue":"mail"}';
  assert.equal(totals[`c_total ${labels}`], 8);
  assert.equal(totals[`h_count ${labels}`], 4);
  assert.equal(totals[`s_count ${labels}`], 4);
});

test("a handler's metrics are sent at its end, the default ones too", async () => {
  const { registry, counter } = instrumented();
  promClient.collectDefaultMetrics({ register: registry });
  const { metrics, samples } = recording();
  const bridge = new PromClientBridge(metrics, registry);
  const handler = bridge.wrap(async () => {
    counter.inc({ queue: "mail" });
    throw new Error("wrong");
  });
  await assert.rejects(handler(), /wrong/);
  const names = (await samples()).map(({ name }) => name);
  assert.ok(names.includes("c_total"));
  assert.ok(names.includes("process_cpu_seconds_total"));
  assert.ok(names.includes("nodejs_eventloop_lag_seconds"));
  assert.deepEqual(metrics.dropped, {});
});

test("a slow flush and one that begins meanwhile send each increment once", async () => {
  let value = 0;
  let release;
  const slow = new Promise((done) => (release = done));
  const registry = {
    async getMetricsAsJSON() {
      value += 1;
      const values = [{ value, labels: {} }];
      if (value === 1) await slow;
      return [{ name: "c_total", help: "", type: "counter", values }];
    },
  };
  const { metrics, samples } = recording();
  const bridge = new PromClientBridge(metrics, registry);
  const flushes = [bridge.flush(), bridge.flush()];
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  release();
  await Promise.all(flushes);
  const sent = (await samples()).map(({ value }) => value);
  assert.equal(
    sent.reduce((sum, gained) => sum + gained, 0),
    2,
  );
});

test("a collect function that throws throws nothing here", async (t) => {
  const warn = t.mock.method(console, "warn", () => {});
  const { registry, counter } = instrumented();
  const broken = new Gauge({
    name: "broken",
    help: "Help.",
    registers: [registry],
    collect() {
      throw new Error("no");
    },
  });
  const { metrics, samples } = recording();
  const bridge = new PromClientBridge(metrics, registry);
  counter.inc({ queue: "mail" });
  await bridge.flush();
  assert.deepEqual(await samples(), []);
  assert.equal(warn.mock.callCount(), 1);
  assert.ok(broken);
  registry.removeSingleMetric("broken");
  await bridge.flush();
  assert.equal((await samples())[0].value, 1);
});
