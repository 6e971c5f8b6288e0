// Units of work: what they recorded is sent at their end, whatever that is.
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { recording } from "./support/record.mjs";

test("a handler's samples are sent before its result", async () => {
  const { metrics, pushes } = recording();
  const handler = metrics.wrap(async (event, context) => {
    metrics.counter("x_total");
    return `${event} ${context}`;
  });
  assert.equal(await handler("event", "context"), "event context");
  assert.equal(pushes.length, 1);
  assert.equal(await metrics.wrap(() => 7)(), 7);
});

test("a handler's error is thrown after its samples were sent", async () => {
  const { metrics, pushes } = recording();
  const wrong = new Error("wrong");
  const handlers = [
    async () => {
      metrics.counter("x_total");
      throw wrong;
    },
    () => {
      metrics.counter("x_total");
      throw wrong;
    },
  ];
  for (const handler of handlers) {
    await assert.rejects(metrics.wrap(handler)(), (error) => error === wrong);
    assert.equal(pushes.splice(0).length, 1);
  }
});

test("timers observe seconds", async () => {
  const { metrics, samples } = recording();
  const stop = metrics.timer("a_seconds", { a: "b" });
  const seconds = stop({ outcome: "ok" });
  assert.equal(await metrics.time("b_seconds", {}, async () => 7), 7);
  await assert.rejects(
    metrics.time("b_seconds", {}, () => {
      throw new Error("wrong");
    }),
    /wrong/,
  );
  const [a, b] = await samples();
  assert.equal(a.value, seconds);
  assert.deepEqual(a.labels, { a: "b", outcome: "ok" });
  assert.equal(b.values.length, 2);
  assert.ok([seconds, ...b.values].every((value) => value >= 0 && value < 60));
});

test("a middleware observes requests, and sends them after the response", async () => {
  const { metrics, pushes } = recording();
  const middleware = metrics.middleware();
  const server = createServer((request, response) => {
    middleware(request, response, () => {
      if (request.url !== "/unknown") {
        // As Express does when it has found the route.
        request.baseUrl = "/api";
        request.route = { path: "/orders/:id" };
      }
      response.statusCode = request.url === "/unknown" ? 404 : 200;
      response.end();
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const base = `http://127.0.0.1:${server.address().port}`;
  for (const path of ["/api/orders/1", "/api/orders/2", "/unknown"]) {
    await (await fetch(base + path)).text();
  }
  const seen = () => {
    const requests = {};
    const samples = pushes.flat().flatMap((element) => JSON.parse(element));
    for (const sample of samples) {
      const { name, labels, value, values = [value] } = sample;
      assert.equal(name, "http_request_duration_seconds");
      const key = `${labels.method} ${labels.route} ${labels.status}`;
      requests[key] = (requests[key] ?? 0) + values.length;
    }
    return requests;
  };
  const total = () =>
    Object.values(seen()).reduce((sum, count) => sum + count, 0);
  while (total() < 3) await new Promise(setImmediate);
  server.close();
  server.closeAllConnections();
  assert.deepEqual(seen(), {
    "GET /api/orders/:id 200": 2,
    "GET unmatched 404": 1,
  });
});

test("a request that was aborted has no status", async () => {
  const { metrics, samples } = recording();
  const response = new EventEmitter();
  Object.assign(response, { statusCode: 200, writableFinished: false });
  metrics.middleware("seconds")({ method: "GET" }, response, () => {});
  response.emit("close");
  const [{ name, labels }] = await samples();
  assert.equal(name, "seconds");
  assert.deepEqual(labels, {
    method: "GET",
    route: "unmatched",
    status: "aborted",
  });
});

test("flushes in the background are few, and a flush waits for them", async () => {
  const { metrics, pushes, samples } = recording();
  for (let at = 0; at < 50; at++) {
    metrics.counter("x_total", { at });
    metrics.flushSoon();
  }
  await metrics.flush();
  assert.ok(pushes.length <= 3, `${pushes.length} pushes`);
  assert.equal((await samples()).length, 50);
  metrics.counter("y_total");
  metrics.flushSoon();
  await metrics.flush();
  assert.equal((await samples()).length, 1);
});
