// A client for tests: it keeps what would be sent, and asserts about it.
import { AssertionError } from "node:assert";
import { Metrics, type Options } from "./client.js";
import type { Labels, Sample } from "./sample.js";

/**
 * Records as `Metrics` does, and sends nothing, whatever the environment says.
 * Assertions are about all series of a name that have the given labels.
 */
export class FakeMetrics extends Metrics {
  #flushed: Sample[] = [];

  constructor(options: Options = {}) {
    super({ lpush: () => Promise.resolve() }, { ...options, disabled: false });
  }

  /** All samples, equal series added up from flush to flush. */
  get samples(): readonly Sample[] {
    for (const sample of this.take()) {
      this.#flushed.push(JSON.parse(sample) as Sample);
    }
    return this.#flushed;
  }

  override flush(): Promise<void> {
    void this.samples;
    return Promise.resolve();
  }

  reset(): void {
    this.take();
    this.#flushed = [];
  }

  assertCounter(name: string, expected: number, labels: Labels = {}): void {
    const got = this.#of("counter", name, labels).reduce(
      (total, { value = 0 }) => total + value,
      0,
    );
    this.#equal(name, labels, got, expected);
  }

  /** What the operations make of a gauge that nothing else has changed. */
  assertGauge(name: string, expected: number, labels: Labels = {}): void {
    let got: number | undefined;
    for (const { op = "set", value = 0 } of this.#of("gauge", name, labels)) {
      if (op === "set") got = value;
      else if (op === "add") got = (got ?? 0) + value;
      else got = got === undefined ? value : Math[op](got, value);
    }
    this.#equal(name, labels, got, expected);
  }

  /** How often a histogram or a summary was observed, and what that sums up to. */
  assertObserved(
    name: string,
    count: number,
    labels: Labels = {},
    sum?: number,
  ): void {
    const samples = [
      ...this.#of("histogram", name, labels),
      ...this.#of("summary", name, labels),
    ];
    const got = samples.map(observationsOf);
    this.#equal(name, labels, total(got.map((each) => each.count)), count);
    if (sum !== undefined) {
      this.#equal(name, labels, total(got.map((each) => each.sum)), sum);
    }
  }

  assertNothing(name?: string): void {
    const got = this.samples.filter(
      (sample) => name === undefined || sample.name === name,
    );
    this.#equal(name ?? "all metrics", {}, got.length, 0);
  }

  #of(type: Sample["type"], name: string, labels: Labels): Sample[] {
    return this.samples.filter(
      (sample) =>
        sample.type === type &&
        sample.name === name &&
        Object.entries(labels).every(
          ([label, value]) =>
            (sample.labels?.[label] ?? "") === String(value ?? ""),
        ),
    );
  }

  #equal(name: string, labels: Labels, actual: unknown, expected: unknown) {
    if (actual === expected) return;
    const recorded = this.samples.map((sample) => JSON.stringify(sample));
    throw new AssertionError({
      message: [
        `${name} ${JSON.stringify(labels)}: expected ${expected}, got ${actual}; recorded were:`,
        ...recorded,
      ].join("\n"),
      actual,
      expected,
    });
  }
}

function observationsOf(sample: Sample): { count: number; sum: number } {
  const { counts, sum = 0, value, values } = sample;
  if (counts) return { count: total(counts), sum };
  const all = values ?? [value ?? 0];
  return { count: all.length, sum: total(all) };
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
