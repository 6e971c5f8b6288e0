// The samples since the last flush, equal series added up. Nothing in here does
// I/O; what can't be sent is refused by an exception, which the client catches.
import {
  checkBuckets,
  checkLabels,
  checkName,
  checkQuantiles,
  checkTtl,
  Refused,
  sentLabels,
  wellFormed,
  type GaugeOperation,
  type Labels,
  type Sample,
} from "./sample.js";
import { KnownSeries } from "./known.js";
import {
  CounterSeries,
  GaugeSeries,
  HistogramSeries,
  SummarySeries,
  type Series,
} from "./series.js";

/** What holds for all series of a name. */
export interface Description {
  /** The text of `# HELP`. */
  help?: string;
  /** OpenMetrics' unit. The name has to end in it: `seconds` for `job_seconds`, `bytes` for `sent_bytes_total`. */
  unit?: string;
  /** Upper bounds of a histogram, increasing; +Inf is added. */
  buckets?: readonly number[];
  /** What the gateway estimates of a summary, each from 0 to 1. Without, it has a sum and a count. */
  quantiles?: readonly number[];
  /** Seconds that a series may be idle until the gateway drops it; without, the gateway's settings say. */
  ttl?: number;
}

export interface Bounds {
  series: number;
  observations: number;
}

/** The gateway takes a help of 4 KiB, and this is as many bytes at most. */
const MAX_HELP = 1_024;

/** Steps to known series, for each type: for each series a few. */
const STEPS_PER_SERIES = 8;

export class SampleBuffer {
  readonly #labels: Labels;
  readonly #buckets: readonly number[];
  readonly #bounds: Bounds;
  /** By name, as many as series. */
  readonly #families = new Map<string, Description>();
  readonly #counters: KnownSeries<CounterSeries>;
  readonly #gauges: KnownSeries<GaugeSeries>;
  readonly #histograms: KnownSeries<HistogramSeries>;
  readonly #summaries: KnownSeries<SummarySeries>;
  /** Those that have something to send, in the order in which they were recorded. */
  #recorded: Series[] = [];
  #samples = 0;
  #observations = 0;

  constructor(labels: Labels, buckets: readonly number[], bounds: Bounds) {
    this.#labels = { ...labels };
    this.#buckets = buckets;
    this.#bounds = bounds;
    const steps = bounds.series * STEPS_PER_SERIES;
    this.#counters = new KnownSeries(steps);
    this.#gauges = new KnownSeries(steps);
    this.#histograms = new KnownSeries(steps);
    this.#summaries = new KnownSeries(steps);
  }

  get isFull(): boolean {
    return (
      this.#samples >= this.#bounds.series ||
      this.#observations >= this.#bounds.observations
    );
  }

  describe(name: string, description: Description): void {
    checkName(name);
    const { help, unit, buckets, quantiles, ttl } = description;
    const family: Description = { ...this.#families.get(name) };
    if (help) family.help = wellFormed(String(help).slice(0, MAX_HELP));
    if (buckets) family.buckets = checkBuckets(buckets);
    if (quantiles) family.quantiles = checkQuantiles(quantiles);
    if (ttl !== undefined) family.ttl = checkTtl(ttl);
    const fits = !unit || name.replace(/_total$/, "").endsWith(`_${unit}`);
    if (unit && fits) family.unit = unit;
    this.#keep(name, family);
    // Known series were made without it.
    this.#counters.forget();
    this.#gauges.forget();
    this.#histograms.forget();
    this.#summaries.forget();
    if (!fits) {
      // The gateway would refuse the samples, which are of use without it too.
      throw new Refused(
        "invalid_unit",
        `expected a name that ends in _${unit}, got ${name}: it is sent without its unit`,
      );
    }
  }

  #keep(name: string, family: Description): void {
    if (this.#families.has(name) || this.#families.size < this.#bounds.series) {
      this.#families.set(name, family);
    }
  }

  counter(name: string, value: number, labels: Labels): void {
    const series = this.#counters.find(
      name,
      labels,
      this.#counterHead,
      (head) => new CounterSeries(head),
    );
    const before = this.#roomFor(series);
    series.add(value);
    this.#added(series, before);
  }

  gauge(name: string, op: GaugeOperation, value: number, labels: Labels): void {
    const series = this.#gauges.find(
      name,
      labels,
      this.#gaugeHead,
      (head) => new GaugeSeries(head),
    );
    const before = this.#roomFor(series);
    series.apply(op, value);
    this.#added(series, before);
  }

  histogram(
    name: string,
    value: number,
    labels: Labels,
    buckets: readonly number[] | undefined,
  ): void {
    const series = this.#histogram(name, labels, buckets);
    const before = this.#roomFor(series);
    series.observe(value);
    this.#added(series, before);
  }

  histogramCounts(
    name: string,
    buckets: readonly number[],
    counts: readonly number[],
    sum: number,
    labels: Labels,
  ): void {
    const series = this.#histogram(name, labels, buckets);
    const before = this.#roomFor(series);
    series.merge(buckets, counts, sum);
    this.#added(series, before);
  }

  #histogram(
    name: string,
    labels: Labels,
    buckets: readonly number[] | undefined,
  ): HistogramSeries {
    return this.#histograms.find(
      name,
      labels,
      this.#histogramHead,
      (head) => new HistogramSeries(head, this.#layout(name, buckets)),
    );
  }

  summary(
    name: string,
    value: number,
    labels: Labels,
    quantiles: readonly number[] | undefined,
  ): void {
    const series = this.#summaries.find(
      name,
      labels,
      this.#summaryHead,
      (head) => new SummarySeries(head, this.#objectives(name, quantiles)),
    );
    const before = this.#roomFor(series);
    if (this.#observations >= this.#bounds.observations) throw full();
    series.observe(value);
    this.#observations += 1;
    this.#added(series, before);
  }

  /** The samples since the last time, each as JSON. */
  take(): string[] {
    const recorded = this.#recorded;
    this.#recorded = [];
    this.#samples = 0;
    this.#observations = 0;
    return recorded.flatMap((series) => series.take());
  }

  #roomFor({ length }: Series): number {
    if (length === 0 && this.#samples >= this.#bounds.series) throw full();
    return length;
  }

  #added(series: Series, before: number): void {
    if (before === 0) this.#recorded.push(series);
    this.#samples += series.length - before;
  }

  readonly #counterHead = (name: string, labels: Labels) =>
    this.#head("counter", name, labels, undefined);

  readonly #gaugeHead = (name: string, labels: Labels) =>
    this.#head("gauge", name, labels, undefined);

  readonly #histogramHead = (name: string, labels: Labels) =>
    this.#head("histogram", name, labels, "le");

  readonly #summaryHead = (name: string, labels: Labels) =>
    this.#head("summary", name, labels, "quantile");

  /** The JSON of what all samples of a series have in common, without its last `}`. */
  #head(
    type: Sample["type"],
    name: string,
    labels: Labels,
    ownLabel: string | undefined,
  ): string {
    checkName(name);
    checkLabels(labels);
    const { help, unit, ttl } = this.#families.get(name) ?? {};
    const sample: Sample = {
      type,
      name,
      labels: sentLabels({ ...this.#labels, ...labels }, ownLabel),
      help,
      unit,
      ttl,
    };
    return JSON.stringify(sample).slice(0, -1);
  }

  /** The first buckets that a name was given: the gateway keeps to its first too. */
  #layout(
    name: string,
    given: readonly number[] | undefined,
  ): readonly number[] {
    const family = this.#families.get(name);
    if (family?.buckets) return family.buckets;
    const buckets = given ? checkBuckets(given) : this.#buckets;
    this.#keep(name, { ...family, buckets });
    return buckets;
  }

  /** Likewise the first quantiles. */
  #objectives(
    name: string,
    given: readonly number[] | undefined,
  ): readonly number[] {
    const family = this.#families.get(name);
    if (family?.quantiles) return family.quantiles;
    const quantiles = checkQuantiles(given ?? []);
    this.#keep(name, { ...family, quantiles });
    return quantiles;
  }
}

function full(): Refused {
  return new Refused(
    "buffer_full",
    "expected one of the pushes before to be answered by now",
  );
}
