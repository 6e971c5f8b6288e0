// What a program in TypeScript writes, and what it is told is wrong.
import type { IncomingMessage, ServerResponse } from "node:http";
import { Cluster, Redis } from "ioredis";
import { register } from "prom-client";
import { Metrics, type Labels, type Options } from "prom-stream-gateway";
import { connect } from "prom-stream-gateway/ioredis";
import { PromClientBridge } from "prom-stream-gateway/prom-client";
import { connect as connectNodeRedis } from "prom-stream-gateway/redis";
import { FakeMetrics } from "prom-stream-gateway/testing";
import { createClient, createCluster } from "redis";

const options: Options = { labels: { app: "shop" }, timeout: 100 };
const metrics: Metrics = connect({ ...options, redis: { tls: {} } });
connectNodeRedis({ url: "rediss://localhost", ...options });
new Metrics(new Redis(), options);
new Metrics(new Cluster([]));
new Metrics(createClient());
new Metrics(createCluster({ rootNodes: [] }));
const fake: Metrics = new FakeMetrics();

const labels: Labels = {
  queue: "mail",
  status: 200,
  ok: true,
  none: undefined,
};
metrics.counter("jobs_total", labels);
metrics.gauge("jobs_running").add(-1);
metrics.histogram("job_seconds", 0.2, labels, [0.1, 1]);
metrics.summary("upload_bytes", 512, {}, [0.5]);
metrics.describe("job_seconds", { help: "Help.", unit: "seconds" });
const seconds: number = metrics.timer("job_seconds")({ outcome: "ok" });
const dropped: number | undefined = metrics.dropped.redis_timeout;

type Event = { id: string };
const handler: (event: Event, context: unknown) => Promise<number> =
  metrics.wrap(async (event: Event, _context: unknown) => event.id.length);
const bridge = new PromClientBridge(metrics, register);
const bridged: () => Promise<number> = bridge.wrap(() => 7);
const middleware: (
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
) => void = metrics.middleware();

// @ts-expect-error: a value is a number
metrics.counter("jobs_total", {}, "1");
// @ts-expect-error: a label is no object
metrics.counter("jobs_total", { queue: {} });
// @ts-expect-error: a gauge has no such operation
metrics.gauge("jobs_running").multiply(2);
// @ts-expect-error: there is no such option
connect({ retries: 3 });
// @ts-expect-error: nothing can be pushed with it
new Metrics({ get: () => {} });

export { bridged, dropped, fake, handler, middleware, seconds };
