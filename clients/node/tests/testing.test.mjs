// The fake that programs test themselves with.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeMetrics } from "prom-stream-gateway/testing";

test("it asserts what was recorded, flushed or not", async () => {
  process.env.PROM_STREAM_GATEWAY_DISABLED = "1";
  const metrics = new FakeMetrics({ labels: { app: "shop" } });
  delete process.env.PROM_STREAM_GATEWAY_DISABLED;
  metrics.counter("x_total", { queue: "mail" });
  await metrics.flush();
  metrics.counter("x_total", { queue: "mail" });
  metrics.counter("x_total", { queue: "sms", status: 200 }, 3);
  metrics.gauge("g").set(3);
  metrics.gauge("g").add(-1);
  metrics.gauge("g").max(10);
  metrics.gauge("g").min(7);
  for (let at = 0; at < 40; at++) metrics.histogram("h", at);
  metrics.summary("s", 2);
  metrics.summary("s", 3, { a: "b" });

  metrics.assertCounter("x_total", 5);
  metrics.assertCounter("x_total", 2, { queue: "mail", app: "shop" });
  metrics.assertCounter("x_total", 3, { status: 200 });
  metrics.assertCounter("y_total", 0);
  metrics.assertGauge("g", 7);
  metrics.assertObserved("h", 40, {}, 780);
  metrics.assertObserved("s", 2, {}, 5);
  metrics.assertObserved("s", 1, { a: "b" });
  metrics.assertNothing("y_total");
  assert.throws(() => metrics.assertCounter("x_total", 4), {
    name: "AssertionError",
    message:
      /x_total \{\}: expected 4, got 5; recorded were:\n.*"queue":"mail"/,
  });
  assert.throws(() => metrics.assertGauge("other", 1), /got undefined/);
  assert.throws(() => metrics.assertObserved("h", 40, {}, 1), /got 780/);
  assert.throws(() => metrics.assertNothing(), /got/);
  metrics.reset();
  metrics.assertNothing();
});
