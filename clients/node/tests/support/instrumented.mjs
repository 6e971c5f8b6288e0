// Calls of the driver, made with metrics of prom-client, which the bridge sends.
import promClient from "prom-client";
import { PromClientBridge } from "prom-stream-gateway/prom-client";

const { Counter, Gauge, Histogram, Registry, Summary } = promClient;

const KINDS = {
  counter: Counter,
  gauge: Gauge,
  histogram: Histogram,
  summary: Summary,
};

/** All that calls have: prom-client lets some of them be left out. */
const labelNames = ["route", "status", "_zone9", "number", "text"];

export function instrumented(metrics) {
  const registry = new Registry();
  const bridge = new PromClientBridge(metrics, registry);
  const helps = new Map();
  /** What gauges are at. */
  const levels = new Map();

  function metricOf(call, name, buckets) {
    const help = helps.get(name) ?? "Help.";
    const options = { name, help, labelNames, registers: [registry] };
    if (buckets) options.buckets = buckets;
    return registry.getSingleMetric(name) ?? new KINDS[call](options);
  }

  /** prom-client has no maximum and no minimum. */
  function levelOf(op, key, value) {
    const before = levels.get(key);
    if (before === undefined) return value;
    switch (op) {
      case "add":
        return before + value;
      case "max":
        return Math.max(before, value);
      case "min":
        return Math.min(before, value);
      default:
        return value;
    }
  }

  function call({ call, name, labels, value, op, buckets, help }) {
    switch (call) {
      case "describe":
        helps.set(name, help);
        return;
      case "counter":
        metricOf(call, name).inc(labels, value);
        return;
      case "gauge": {
        const key = JSON.stringify([name, Object.entries(labels).sort()]);
        levels.set(key, levelOf(op, key, value));
        metricOf(call, name).set(labels, levels.get(key));
        return;
      }
      default:
        metricOf(call, name, buckets).observe(labels, value);
    }
  }

  return { call, flush: () => bridge.flush() };
}
