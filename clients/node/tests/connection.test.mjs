// What a flush does with each library, whatever the peer does: it arrives, or it
// ends within its time and is told.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect as ioredis } from "prom-stream-gateway/ioredis";
import { connect as nodeRedis } from "prom-stream-gateway/redis";
import { FakeRedis } from "./support/redis.mjs";

/** How long a flush takes at most. */
const PROMISED = 300;

/** A busy machine has taken what is more: of several flushes one keeps to it. */
const TRIES = 8;

const LIBRARIES = { ioredis, "node-redis": nodeRedis };

/** A test that waits for a peer, which might never do what it is waited for. */
const waiting = (name, check) => test(name, { timeout: 60_000 }, check);

/** A server, and a client of it. */
async function start(t, connect, behaves) {
  const redis = await FakeRedis.start(behaves);
  const said = [];
  const log = (message) => said.push(message);
  const metrics = connect({ url: redis.url, log });
  t.after(async () => {
    await metrics.close();
    await redis.stop();
  });
  return { redis, metrics, said };
}

async function keepsTheBound(metrics) {
  const times = [];
  for (let tries = 0; tries < TRIES; tries++) {
    metrics.counter("x_total");
    const started = performance.now();
    await metrics.flush();
    times.push(performance.now() - started);
    if (times.at(-1) < PROMISED) return times.at(-1);
  }
  assert.fail(`each flush took longer than ${PROMISED} ms: ${times}`);
}

for (const [name, connect] of Object.entries(LIBRARIES)) {
  waiting(
    `${name}: samples arrive, by one connection that is kept`,
    async (t) => {
      const { redis, metrics } = await start(t, connect);
      assert.equal(redis.connections, 0);
      // More often than pushes may be without an answer.
      for (let at = 0; at < 40; at++) {
        metrics.counter("x_total", { at });
        metrics.gauge("g").set(at);
        await metrics.flush();
      }
      assert.equal(redis.connections, 1);
      assert.equal(redis.pushes.length, 40);
      assert.equal(redis.samples.length, 80);
      assert.deepEqual(metrics.dropped, {});
    },
  );

  waiting(
    `${name}: a connection that was cut is replaced before it is written to`,
    async (t) => {
      const { redis, metrics } = await start(t, connect);
      for (let at = 1; at <= 4; at++) {
        metrics.counter("x_total", { at });
        await metrics.flush();
        assert.equal(redis.connections, at);
        await redis.cut();
      }
      assert.equal(redis.samples.length, 4);
      assert.deepEqual(metrics.dropped, {});
    },
  );

  waiting(`${name}: many flushes at once share it`, async (t) => {
    const { redis, metrics } = await start(t, connect);
    const flushes = Array.from({ length: 16 }, (_, at) => {
      metrics.counter("x_total", { at });
      return metrics.flush();
    });
    await Promise.all(flushes);
    assert.equal(redis.connections, 1);
    assert.equal(redis.samples.length, 16);
  });

  waiting(`${name}: nothing under way is lost by close`, async (t) => {
    const { redis, metrics } = await start(t, connect);
    metrics.counter("x_total");
    metrics.flushSoon();
    await metrics.close();
    assert.equal(redis.samples.length, 1);
    assert.deepEqual(metrics.dropped, {});
    await redis.until(() => redis.open === 0);
  });

  waiting(`${name}: a refused connection is told, once`, async (t) => {
    const { redis, metrics, said } = await start(t, connect);
    await redis.stop();
    await keepsTheBound(metrics);
    metrics.counter("x_total");
    await metrics.flush();
    assert.deepEqual(Object.keys(metrics.dropped), ["redis_unreachable"]);
    assert.ok(metrics.dropped.redis_unreachable >= 2);
    assert.equal(said.length, 1);
    assert.match(said[0], /redis_unreachable: .*ECONNREFUSED/);
  });

  const faults = {
    isSilent: ["redis_timeout", /expected an answer within 200 ms/],
    cuts: ["redis_unreachable", /./],
    refuses: ["redis_error", /ERR expected another key/],
  };
  for (const [behaves, [reason, message]] of Object.entries(faults)) {
    waiting(
      `${name}: a server that ${behaves} is told, and left when it answers`,
      async (t) => {
        const { redis, metrics, said } = await start(t, connect, behaves);
        await keepsTheBound(metrics);
        assert.deepEqual(Object.keys(metrics.dropped), [reason]);
        assert.equal(said.length, 1);
        assert.match(said[0], message);
        // Nothing is left of a connection that was given up.
        await redis.until(() => redis.open === 0);

        redis.behaves = "answers";
        metrics.counter("y_total");
        await metrics.flush();
        assert.deepEqual(
          redis.samples.map((sample) => sample.name),
          ["y_total"],
        );

        // Also where the connection had worked before.
        redis.behaves = behaves;
        await keepsTheBound(metrics);
        redis.behaves = "answers";
        metrics.counter("z_total");
        await metrics.flush();
        assert.deepEqual(
          redis.samples.map((sample) => sample.name),
          ["y_total", "z_total"],
        );
        assert.deepEqual(Object.keys(metrics.dropped), [reason]);
        assert.equal(said.length, 1);
      },
    );
  }

  waiting(
    `${name}: a program that keeps the event loop busy is not an absent Redis`,
    async (t) => {
      const { redis, metrics } = await start(t, connect);
      for (let turns = 1; turns <= 5; turns++) {
        metrics.counter("x_total");
        const flush = metrics.flush();
        for (let turn = 0; turn < turns; turn++)
          await new Promise(setImmediate);
        const until = performance.now() + 250;
        while (performance.now() < until);
        await flush;
      }
      assert.equal(redis.samples.length, 5);
      assert.deepEqual(metrics.dropped, {});
    },
  );

  waiting(`${name}: an address that is none throws nothing`, async () => {
    const said = [];
    const url = "redis://[::1:no";
    const metrics = connect({ url, log: (message) => said.push(message) });
    await keepsTheBound(metrics);
    assert.deepEqual(Object.keys(metrics.dropped), ["redis_unreachable"]);
    assert.equal(said.length, 1);
    await metrics.close();
  });

  waiting(
    `${name}: a process that was frozen while it was cut loses nothing`,
    async (t) => {
      const redis = await FakeRedis.start();
      const driver = drive(t, name, {
        PROM_STREAM_GATEWAY_REDIS_URL: redis.url,
      });
      for (let at = 1; at <= 3; at++) {
        driver.process.kill("SIGSTOP");
        await redis.cut();
        driver.call({ call: "counter", name: "x_total" }, { call: "flush" });
        driver.process.kill("SIGCONT");
        const { dropped, reason } = await driver.flushed();
        assert.deepEqual({ dropped, reason }, { dropped: 0, reason: null });
        assert.equal(redis.samples.length, at);
      }
      await redis.stop();
    },
  );

  waiting(
    `${name}: a process ends by itself, and sends what is left`,
    async (t) => {
      const redis = await FakeRedis.start();
      const program = `
      const { connect } = require("prom-stream-gateway/${name === "ioredis" ? name : "redis"}");
      const metrics = connect();
      metrics.counter("x_total");
      metrics.flush().then(() => metrics.counter("y_total"));`;
      const child = spawn(process.execPath, ["-e", program], {
        cwd: fileURLToPath(new URL("..", import.meta.url)),
        env: { ...process.env, PROM_STREAM_GATEWAY_REDIS_URL: redis.url },
        stdio: "inherit",
      });
      t.after(() => child.kill());
      assert.deepEqual(await once(child, "exit"), [0, null]);
      assert.deepEqual(
        redis.samples.map((sample) => sample.name),
        ["x_total", "y_total"],
      );
      await redis.stop();
    },
  );

  waiting(`${name}: address and key come from the environment`, async (t) => {
    const { redis } = await start(t, connect);
    process.env.PROM_STREAM_GATEWAY_REDIS_URL = redis.url;
    process.env.PROM_STREAM_GATEWAY_KEY = "another";
    const metrics = connect();
    delete process.env.PROM_STREAM_GATEWAY_REDIS_URL;
    delete process.env.PROM_STREAM_GATEWAY_KEY;
    metrics.counter("x_total");
    await metrics.close();
    assert.deepEqual(redis.keys, ["another"]);
  });
}

/** The program that does as it is told. */
function drive(t, library, environment) {
  const file = fileURLToPath(new URL("driver", import.meta.url));
  const child = spawn(file, [library], {
    env: { ...process.env, ...environment },
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => child.kill());
  const lines = createInterface({ input: child.stdout })[
    Symbol.asyncIterator
  ]();
  return {
    process: child,
    call: (...calls) => {
      for (const call of calls) child.stdin.write(`${JSON.stringify(call)}\n`);
    },
    flushed: async () => JSON.parse((await lines.next()).value),
  };
}
