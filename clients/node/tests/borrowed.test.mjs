// A connection that belongs to the program: the client neither opens nor ends it,
// and keeps its bound whatever the connection does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { Metrics } from "prom-stream-gateway";
import { createClient } from "redis";
import { FakeRedis } from "./support/redis.mjs";

test("ioredis and node-redis are taken as they are", async () => {
  const redis = await FakeRedis.start();
  const first = new Redis(redis.url);
  const second = await createClient({ url: redis.url }).connect();
  for (const connection of [first, second]) {
    const metrics = new Metrics(connection);
    metrics.counter("x_total");
    metrics.gauge("g").set(1);
    await metrics.close();
    assert.deepEqual(metrics.dropped, {});
  }
  assert.deepEqual(
    redis.pushes.map(([element]) => JSON.parse(element).length),
    [2, 2],
  );
  assert.equal(redis.open, 2);
  first.disconnect();
  second.destroy();
  await redis.stop();
});

test("one that never answers holds nothing up, and is not given more and more", async () => {
  let pushes = 0;
  const said = [];
  const metrics = new Metrics(
    { lpush: () => (pushes++, new Promise(() => {})) },
    { timeout: 20, maxSeries: 5, log: (message) => said.push(message) },
  );
  for (let at = 0; at < 100; at++) {
    metrics.counter("x_total", { at });
    await metrics.flush();
  }
  assert.equal(pushes, 16);
  // 16 pushes of one sample, five in the buffer, and no room for the rest.
  assert.deepEqual(metrics.dropped, { redis_timeout: 16, buffer_full: 79 });
  assert.equal(said.length, 2);
});

test("one that throws or is none at all throws nothing", async () => {
  const thrower = {
    lpush: () => {
      throw new Error("no\u001b[31m");
    },
  };
  for (const connection of [thrower, {}, null, undefined, 7]) {
    const said = [];
    const log = (message) => said.push(message);
    const metrics = new Metrics(connection, { log });
    metrics.counter("x_total");
    await metrics.flush();
    assert.deepEqual(metrics.dropped, { redis_unreachable: 1 });
    assert.equal(said.length, 1);
    assert.doesNotMatch(said[0], /\p{Cc}/u);
  }
});

test("a key prefix is told", () => {
  const said = [];
  const redis = new Redis({ lazyConnect: true, keyPrefix: "app:" });
  new Metrics(redis, { log: (message) => said.push(message) });
  assert.equal(said.length, 1);
  assert.match(said[0], /"app:prom-stream-gateway:metric-queue"/);
});
