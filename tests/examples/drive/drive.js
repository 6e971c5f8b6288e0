// Pushes once for each line of standard input, with a value that JSON can't
// write where the line says so, and tells how many milliseconds that took.
const { pushMetrics } = require("./producer.js");
const lines = require("readline").createInterface({ input: process.stdin });

async function main() {
  console.log("ready");
  for await (const line of lines) {
    const value = line === "odd" ? 1n : 1;
    const help = line === "large" ? "x".repeat(20_000_000) : "";
    const circular = { type: "counter", name: "pushed_total" };
    circular.labels = circular;
    const odd = { type: "counter", name: "pushed_total", value };
    const one = { type: "counter", name: "pushed_total", value: 1, help };
    const started = performance.now();
    await pushMetrics(...(line === "odd" ? [odd, circular, one] : [odd, one]));
    console.log(`took ${Math.floor(performance.now() - started)}`);
  }
  process.exit(0);
}

main();
