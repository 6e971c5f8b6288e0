// What was recorded of one series since the last flush, by type, and the samples
// that it is sent as: JSON, begun by what they have in common.
import {
  checkFinite,
  checkNumber,
  epsilonOf,
  Refused,
  shown,
  type GaugeOperation,
} from "./sample.js";

/** Beyond so many observations a histogram is sent as counts. */
const MAX_HISTOGRAM_VALUES = 32;

/** So many observations of a summary fit into an element, whatever they are. */
const MAX_SUMMARY_VALUES = 1_000;

export interface Series {
  /** How many samples it would be sent as now. */
  readonly length: number;
  /** Hands out those, after which there are none. */
  take(): string[];
}

export class CounterSeries implements Series {
  readonly #head: string;
  #total = 0;
  length = 0;

  /** The JSON of what all samples of the series have in common, without its last `}`. */
  constructor(head: string) {
    this.#head = head;
  }

  add(value: number): void {
    if (checkNumber(value) < 0) {
      throw new Refused(
        "negative_counter",
        `expected a counter's value of at least 0, got ${value}`,
      );
    }
    this.#total = checkFinite(this.#total + value);
    this.length = 1;
  }

  take(): string[] {
    const text = `${this.#head},"value":${this.#total}}`;
    this.#total = 0;
    this.length = 0;
    return [text];
  }
}

interface Step {
  op: GaugeOperation;
  value: number;
}

/** The operations in their order, as few as they can be. */
export class GaugeSeries implements Series {
  readonly #head: string;
  #steps: Step[] = [];

  constructor(head: string) {
    this.#head = head;
  }

  get length(): number {
    return this.#steps.length;
  }

  apply(op: GaugeOperation, value: number): void {
    checkNumber(value);
    const last = this.#steps.at(-1);
    if (op === "set") {
      this.#steps = [{ op, value }];
    } else if (last?.op === op || last?.op === "set") {
      last.value = checkFinite(combined(op, last.value, value));
    } else {
      this.#steps.push({ op, value });
    }
  }

  take(): string[] {
    const texts = this.#steps.map(({ op, value }) =>
      op === "set"
        ? `${this.#head},"value":${value}}`
        : `${this.#head},"op":"${op}","value":${value}}`,
    );
    this.#steps = [];
    return texts;
  }
}

function combined(
  op: Exclude<GaugeOperation, "set">,
  before: number,
  value: number,
): number {
  switch (op) {
    case "add":
      return before + value;
    case "max":
      return Math.max(before, value);
    case "min":
      return Math.min(before, value);
  }
}

export class HistogramSeries implements Series {
  readonly #head: string;
  readonly #buckets: readonly number[];
  #values: number[] = [];
  #counts: number[] | undefined;
  #sum = 0;

  constructor(head: string, buckets: readonly number[]) {
    this.#head = `${head},"buckets":[${buckets.join()}]`;
    this.#buckets = buckets;
  }

  get length(): number {
    return this.#counts || this.#values.length > 0 ? 1 : 0;
  }

  observe(value: number): void {
    this.#sum = checkFinite(this.#sum + checkNumber(value));
    if (this.#counts) {
      this.#count(this.#counts, value);
      return;
    }
    this.#values.push(value);
    if (this.#values.length > MAX_HISTOGRAM_VALUES) this.#fold();
  }

  /** Adds observations that were counted before. */
  merge(
    buckets: readonly number[],
    counts: readonly number[],
    sum: number,
  ): void {
    if (
      buckets.length !== this.#buckets.length ||
      buckets.some((bound, at) => bound !== this.#buckets[at])
    ) {
      throw new Refused(
        "bad_buckets",
        `expected the buckets ${shown(this.#buckets)}, got ${shown(buckets)}`,
      );
    }
    const whole = counts.every(
      (count) => Number.isSafeInteger(count) && count >= 0,
    );
    if (counts.length !== buckets.length + 1 || !whole) {
      throw new Refused(
        "invalid_field",
        `expected a whole number for each bucket and for +Inf, got ${shown(counts)}`,
      );
    }
    this.#sum = checkFinite(this.#sum + checkNumber(sum));
    const own = this.#fold();
    counts.forEach((count, at) => (own[at]! += count));
  }

  #fold(): number[] {
    if (!this.#counts) {
      this.#counts = new Array<number>(this.#buckets.length + 1).fill(0);
      for (const value of this.#values) this.#count(this.#counts, value);
      this.#values = [];
    }
    return this.#counts;
  }

  #count(counts: number[], value: number): void {
    const at = this.#buckets.findIndex((bound) => value <= bound);
    counts[at === -1 ? this.#buckets.length : at]! += 1;
  }

  take(): string[] {
    const text = this.#counts
      ? `${this.#head},"counts":[${this.#counts.join()}],"sum":${this.#sum}}`
      : `${this.#head},${observations(this.#values)}}`;
    this.#values = [];
    this.#counts = undefined;
    this.#sum = 0;
    return [text];
  }
}

export class SummarySeries implements Series {
  readonly #head: string;
  #values: number[] = [];

  constructor(head: string, quantiles: readonly number[]) {
    const epsilons = quantiles.map(epsilonOf);
    this.#head =
      quantiles.length === 0
        ? head
        : `${head},"quantiles":[${quantiles.join()}],"epsilons":[${epsilons.join()}]`;
  }

  get length(): number {
    return Math.ceil(this.#values.length / MAX_SUMMARY_VALUES);
  }

  observe(value: number): void {
    this.#values.push(checkNumber(value));
  }

  take(): string[] {
    const texts: string[] = [];
    for (let at = 0; at < this.#values.length; at += MAX_SUMMARY_VALUES) {
      const part = this.#values.slice(at, at + MAX_SUMMARY_VALUES);
      texts.push(`${this.#head},${observations(part)}}`);
    }
    this.#values = [];
    return texts;
  }
}

function observations(values: number[]): string {
  return values.length === 1
    ? `"value":${values[0]}`
    : `"values":[${values.join()}]`;
}
