// A program that requires the package, with one of the Redis libraries.
const { Metrics } = require("prom-stream-gateway");
const { PromClientBridge } = require("prom-stream-gateway/prom-client");
const { FakeMetrics } = require("prom-stream-gateway/testing");

async function main() {
  const { connect } = require(`prom-stream-gateway/${process.argv[2]}`);
  const metrics = connect();
  for (const call of [metrics, new FakeMetrics()]) {
    call.counter("required_total");
    await call.flush();
  }
  const bridge = new PromClientBridge(metrics, {
    getMetricsAsJSON: async () => [],
  });
  await bridge.flush();
  process.exitCode = metrics instanceof Metrics ? 0 : 1;
}

main();
