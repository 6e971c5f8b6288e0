// A bridge for prom-client: code that is instrumented with it stays as it is, and
// what its metrics have gained since the last flush is sent.
import { logged, type Metrics } from "./client.js";
import { shown } from "./sample.js";
import { flushAfter } from "./wrap.js";

/** prom-client's `Registry`, as far as it is needed here. */
export interface RegistryLike {
  getMetricsAsJSON(): Promise<unknown[]>;
}

/** A metric, as a registry hands it out. */
interface Family {
  name: string;
  help: string;
  type: string;
  values: Value[];
}

interface Value {
  value: number;
  metricName?: string;
  labels: Record<string, string | number>;
}

/** What a series has come to: counts, which only grow, and a sum. */
interface Totals {
  counts: number[];
  sum: number;
}

/** The values of one series of a histogram or a summary. */
interface Parts extends Totals {
  labels: Value["labels"];
  bounds: number[];
}

type Client = Pick<
  Metrics,
  "describe" | "counter" | "gauge" | "histogramCounts" | "flush"
>;

/**
 * Sends counters and histograms as what they have gained, and gauges as they are.
 * Of a summary `x` only sum and count can be added up: they are sent as the
 * counters `x_sum` and `x_count`, its quantiles are not.
 */
export class PromClientBridge {
  readonly #metrics: Client;
  readonly #registry: RegistryLike;
  #sent = new Map<string, Totals>();
  /** What was described, by name. */
  readonly #help = new Map<string, string>();
  #turn: Promise<void> = Promise.resolve();

  constructor(metrics: Client, registry: RegistryLike) {
    this.#metrics = metrics;
    this.#registry = registry;
  }

  /** Sends what there is to send. Never rejects. */
  async flush(): Promise<void> {
    // One after the other: each has to know what the one before has sent.
    this.#turn = this.#turn.then(() => this.#collect());
    await this.#turn;
    await this.#metrics.flush();
  }

  /** Wraps a handler, as `Metrics.wrap` does. */
  wrap<A extends unknown[], R>(
    handler: (...args: A) => R | Promise<R>,
  ): (...args: A) => Promise<R> {
    return flushAfter(handler, () => this.flush());
  }

  async #collect(): Promise<void> {
    try {
      const families = await this.#registry.getMetricsAsJSON();
      const before = this.#sent;
      // Series that the registry has forgotten are forgotten here too.
      this.#sent = new Map();
      for (const family of families as Family[]) this.#add(family, before);
    } catch (error) {
      logged(`the metrics of prom-client were not read: ${shown(error)}`);
    }
  }

  #add(family: Family, before: Map<string, Totals>): void {
    const { name, help, type, values } = family;
    this.#describe(
      type === "summary" ? [`${name}_sum`, `${name}_count`] : [name],
      help,
    );
    switch (type) {
      case "counter":
        for (const { labels, value } of values) {
          const now = { counts: [value], sum: 0 };
          const gained = this.#gained(keyOf(name, labels), now, before);
          if (gained) this.#metrics.counter(name, labels, gained.counts[0]);
        }
        break;
      case "gauge":
        for (const { labels, value } of values) {
          // NaN is what prom-client has where it knows none.
          if (Number.isFinite(value)) {
            this.#metrics.gauge(name, labels).set(value);
          }
        }
        break;
      case "histogram":
        for (const [key, parts] of partsOf(family)) {
          const gained = this.#gained(key, parts, before);
          if (!gained) continue;
          const { counts, sum } = gained;
          const { bounds, labels } = parts;
          const single = counts.map(
            (count, at) => count - (counts[at - 1] ?? 0),
          );
          this.#metrics.histogramCounts(name, bounds, single, sum, labels);
        }
        break;
      case "summary":
        for (const [key, parts] of partsOf(family)) {
          const gained = this.#gained(key, parts, before);
          if (!gained) continue;
          this.#metrics.counter(`${name}_sum`, parts.labels, gained.sum);
          this.#metrics.counter(
            `${name}_count`,
            parts.labels,
            gained.counts[0],
          );
        }
        break;
    }
  }

  #describe(names: string[], help: string): void {
    for (const name of names) {
      if (this.#help.get(name) === help) continue;
      this.#help.set(name, help);
      this.#metrics.describe(name, { help });
    }
  }

  /** What a series has gained, all of it the first time; nothing if nothing. */
  #gained(
    key: string,
    now: Totals,
    before: Map<string, Totals>,
  ): Totals | undefined {
    this.#sent.set(key, now);
    const last = before.get(key);
    const wasReset =
      last?.counts.length !== now.counts.length ||
      now.counts.some((count, at) => count < last.counts[at]!);
    if (!last || wasReset) return now;
    const counts = now.counts.map((count, at) => count - last.counts[at]!);
    if (counts.every((count) => count === 0)) return undefined;
    return { counts, sum: now.sum - last.sum };
  }
}

/** By series: the counts of a histogram, cumulative, or the one of a summary. */
function partsOf({ name, type, values }: Family): Map<string, Parts> {
  const series = new Map<string, Parts>();
  for (const { labels, metricName, value } of values) {
    const { le, quantile, ...own } = labels;
    if (quantile !== undefined) continue;
    const key = keyOf(name, own);
    let parts = series.get(key);
    if (!parts) {
      parts = { labels: own, bounds: [], counts: [], sum: 0 };
      series.set(key, parts);
    }
    if (metricName === `${name}_sum`) {
      parts.sum = value;
    } else if (metricName === `${name}_bucket`) {
      if (le !== "+Inf") parts.bounds.push(Number(le));
      parts.counts.push(value);
    } else if (type === "summary") {
      parts.counts.push(value);
    }
  }
  return series;
}

/** A series' labels always come in the same order. */
function keyOf(name: string, labels: Value["labels"]): string {
  return name + JSON.stringify(labels);
}
