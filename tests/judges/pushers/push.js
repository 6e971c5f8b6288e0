// prom-client: push, compressed and as OpenMetrics too, and pushAdd.
const { Counter, Gauge, Histogram, Pushgateway, Registry, Summary } = require("prom-client");

const gateway = `http://127.0.0.1:${process.argv[2]}`;

function counted(registry) {
  const registers = [registry];
  const pushed = { name: "pushed_total", help: "Pushed.", labelNames: ["queue"], registers };
  new Counter(pushed).inc({ queue: "mail" }, 3);
  new Gauge({ name: "temperature", help: "In the room.", registers }).set(21.5);
  // What Node.js' own metrics are where nothing was measured yet.
  new Gauge({ name: "lag_seconds", help: "None yet.", registers }).set(NaN);
  const buckets = [0.1, 1];
  const took = new Histogram({ name: "took_seconds", help: "It took.", buckets, registers });
  [0.05, 0.5, 5].forEach((seconds) => took.observe(seconds));
  const size = new Summary({ name: "size_bytes", help: "Its size.", registers });
  [100, 200].forEach((bytes) => size.observe(bytes));
  return registry;
}

async function main() {
  const plain = counted(new Registry());
  await new Pushgateway(gateway, {}, plain).push({ jobName: "push" });
  const headers = { "Content-Encoding": "gzip" };
  await new Pushgateway(gateway, { headers }, plain).push({ jobName: "gzip" });
  // It does not say so in a header.
  const openmetrics = counted(new Registry(Registry.OPENMETRICS_CONTENT_TYPE));
  await new Pushgateway(gateway, {}, openmetrics).push({ jobName: "openmetrics" });
  const groupings = { "zone@base64": Buffer.from("a/b").toString("base64url") };
  await new Pushgateway(gateway, {}, plain).pushAdd({ jobName: "pushAdd", groupings });
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
