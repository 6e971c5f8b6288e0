// Over TLS a connection is kept too, and replaced where it was cut in between.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect as ioredis } from "prom-stream-gateway/ioredis";
import { connect as nodeRedis } from "prom-stream-gateway/redis";
import { FakeRedis } from "./support/redis.mjs";

/** A certificate of 127.0.0.1, which vouches for itself. */
function certificate() {
  const folder = mkdtempSync(join(tmpdir(), "prom-stream-gateway-"));
  const [key, cert] = [join(folder, "key"), join(folder, "cert")];
  const request = `req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test
    -addext subjectAltName=IP:127.0.0.1 -keyout ${key} -out ${cert}`;
  execFileSync("openssl", request.split(/\s+/), { stdio: "ignore" });
  const made = { key: readFileSync(key), cert: readFileSync(cert) };
  rmSync(folder, { recursive: true });
  return made;
}

const made = certificate();
const ca = made.cert;
const clients = {
  ioredis: (url, log) => ioredis({ url, log, redis: { tls: { ca } } }),
  "node-redis": (url, log) =>
    nodeRedis({ url, log, redis: { socket: { tls: true, ca } } }),
};

for (const [name, connect] of Object.entries(clients)) {
  test(`${name}: samples arrive over TLS, also after a cut`, async () => {
    const redis = await FakeRedis.start("answers", made);
    const said = [];
    const metrics = connect(redis.url, (message) => said.push(message));
    for (const at of [1, 2, 3]) {
      metrics.counter("x_total", { at });
      await metrics.flush();
      metrics.counter("y_total", { at });
      await metrics.flush();
      assert.equal(redis.connections, at, said.join());
      await redis.cut();
    }
    assert.equal(redis.samples.length, 6);
    assert.deepEqual(metrics.dropped, {});
    await redis.stop();
  });

  test(`${name}: a certificate that nobody vouches for is told`, async () => {
    const redis = await FakeRedis.start("answers", certificate());
    const said = [];
    const metrics = connect(redis.url, (message) => said.push(message));
    metrics.counter("x_total");
    await metrics.flush();
    assert.deepEqual(metrics.dropped, { redis_unreachable: 1 });
    assert.match(said[0], /certificate/);
    assert.deepEqual(redis.samples, []);
    await redis.stop();
  });
}
