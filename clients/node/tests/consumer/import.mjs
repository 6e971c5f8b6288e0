// A program that imports the package, with one of the Redis libraries.
import { Metrics } from "prom-stream-gateway";
import { PromClientBridge } from "prom-stream-gateway/prom-client";
import { FakeMetrics } from "prom-stream-gateway/testing";

const { connect } = await import(`prom-stream-gateway/${process.argv[2]}`);
const metrics = connect();
for (const call of [metrics, new FakeMetrics()]) {
  call.counter("imported_total");
  await call.flush();
}
const bridge = new PromClientBridge(metrics, {
  getMetricsAsJSON: async () => [],
});
await bridge.flush();
process.exitCode = metrics instanceof Metrics ? 0 : 1;
