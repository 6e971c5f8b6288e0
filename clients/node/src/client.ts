// The client: calls that record, and the flush that sends.
import {
  borrowed,
  Link,
  type Connect,
  type NotSent,
  type RedisLike,
} from "./connection.js";
import { elementsOf, fits } from "./elements.js";
import { flushAtExit, flushed } from "./exit.js";
import { SampleBuffer, type Description } from "./buffer.js";
import {
  checkBuckets,
  Refused,
  shown,
  type GaugeOperation,
  type Labels,
  type Reason,
} from "./sample.js";

import { flushAfter } from "./wrap.js";

export interface Options {
  /** The list that the gateway takes from: its setting `Redis.MetricQueueKey`. */
  key?: string;
  /** How many partitions the queue has: its setting `Redis.MetricQueuePartitions`. One is chosen at random, when the client is made. By default `PROM_STREAM_GATEWAY_PARTITIONS`, else 1. */
  partitions?: number;
  /** Labels of every series. A call's own win. */
  labels?: Labels;
  /** Buckets of histograms that are given none: by default those of Prometheus. */
  buckets?: readonly number[];
  /** Milliseconds that a flush takes at most: 200, and never more than 250. */
  timeout?: number;
  /** Series that are buffered at most, 1,000 by default, 3,000 at most. The call that finds the buffer full flushes it. */
  maxSeries?: number;
  /** Observations of summaries that are buffered at most, 10,000 by default, 100,000 at most. */
  maxObservations?: number;
  /** Does nothing at all. By default true where `PROM_STREAM_GATEWAY_DISABLED` is 1. */
  disabled?: boolean;
  /** Is told why samples were dropped, by default `console.warn`. */
  log?: (message: string) => void;
}

export const DEFAULT_KEY = "prom-stream-gateway:metric-queue";

/** Those of Prometheus' own client libraries. */
export const DEFAULT_BUCKETS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** How often the same reason for dropping samples is told. */
const TELL_AGAIN_AFTER = 60_000;

/** A gauge's series. */
export interface Gauge {
  set(value: number): void;
  /** Adds to what the gateway has; a negative value takes away. */
  add(value: number): void;
  inc(): void;
  dec(): void;
  /** Raises it to the value where it is lower. */
  max(value: number): void;
  /** Lowers it to the value where it is higher. */
  min(value: number): void;
}

/** Stops a timer: records the seconds since it was started, and returns them. */
export type StopTimer = (labels?: Labels) => number;

/** The parts of Express' request that the middleware looks at. */
export interface RequestLike {
  method?: string | undefined;
  baseUrl?: string;
  route?: { path?: unknown };
}

export interface ResponseLike {
  statusCode: number;
  writableFinished: boolean;
  once(event: "close", listener: () => void): unknown;
}

/**
 * Buffers samples, and sends them with one LPUSH when it is flushed. No call
 * throws, and no flush rejects or takes longer than its time-out: what can't be
 * sent is dropped, counted in `dropped`, and why is told once a minute.
 */
export class Metrics {
  readonly #key: string;
  readonly #buffer: SampleBuffer;
  readonly #link: Link;
  readonly #disabled: boolean;
  readonly #log: (message: string) => void;
  readonly #dropped = new Map<Reason, number>();
  readonly #told = new Map<Reason, number>();
  /** Those under way, none of which takes longer than its time-out. */
  readonly #pushes = new Set<Promise<void>>();
  #flushing = false;
  #again = false;

  /** With a connection that you open and end, or with what opens one. */
  constructor(redis: RedisLike | Connect, options: Options = {}) {
    this.#key = partitionOf(options.key ?? DEFAULT_KEY, options.partitions);
    this.#disabled =
      options.disabled ?? process.env["PROM_STREAM_GATEWAY_DISABLED"] === "1";
    this.#log = options.log ?? logged;
    this.#buffer = new SampleBuffer(
      options.labels ?? {},
      this.#buckets(options.buckets),
      {
        series: bounded(options.maxSeries, 1_000, 3_000),
        observations: bounded(options.maxObservations, 10_000, 100_000),
      },
    );
    this.#link = new Link(
      typeof redis === "function" ? redis : borrowed(redis),
      bounded(options.timeout, 200, 250),
    );
    const prefix = keyPrefixOf(redis);
    if (prefix && !this.#disabled) {
      this.#log(
        `the connection puts ${shown(prefix)} before the key, so that the gateway has to take from ${shown(prefix + this.#key)}`,
      );
    }
  }

  #buckets(given: readonly number[] | undefined): readonly number[] {
    try {
      return checkBuckets(given ?? DEFAULT_BUCKETS);
    } catch (error) {
      this.#refuse(error, 0);
      return DEFAULT_BUCKETS;
    }
  }

  /** Says, once for each name, what holds for all of its series. */
  describe(name: string, description: Description): void {
    if (this.#disabled) return;
    try {
      this.#buffer.describe(name, description);
    } catch (error) {
      this.#refuse(error, 0);
    }
  }

  /** Adds to a counter. Let its name end in `_total`. */
  counter(name: string, labels: Labels = {}, value = 1): void {
    this.#record((buffer) => buffer.counter(name, value, labels));
  }

  gauge(name: string, labels: Labels = {}): Gauge {
    const apply = (op: GaugeOperation, value: number) =>
      this.#record((buffer) => buffer.gauge(name, op, value, labels));
    return {
      set: (value) => apply("set", value),
      add: (value) => apply("add", value),
      inc: () => apply("add", 1),
      dec: () => apply("add", -1),
      max: (value) => apply("max", value),
      min: (value) => apply("min", value),
    };
  }

  /** Adds an observation. The first buckets of a name hold, as they do in the gateway. */
  histogram(
    name: string,
    value: number,
    labels: Labels = {},
    buckets?: readonly number[],
  ): void {
    this.#record((buffer) => buffer.histogram(name, value, labels, buckets));
  }

  /**
   * Adds observations that were counted before: how many fell into each bucket,
   * not cumulative, at last those in +Inf, and the sum of all.
   */
  histogramCounts(
    name: string,
    buckets: readonly number[],
    counts: readonly number[],
    sum: number,
    labels: Labels = {},
  ): void {
    this.#record((buffer) =>
      buffer.histogramCounts(name, buckets, counts, sum, labels),
    );
  }

  /** Adds an observation, of which the gateway estimates the quantiles. */
  summary(
    name: string,
    value: number,
    labels: Labels = {},
    quantiles?: readonly number[],
  ): void {
    this.#record((buffer) => buffer.summary(name, value, labels, quantiles));
  }

  /** Starts a timer whose seconds go into a histogram when it is stopped. */
  timer(name: string, labels: Labels = {}): StopTimer {
    const started = performance.now();
    return (more = {}) => {
      const seconds = (performance.now() - started) / 1_000;
      this.histogram(name, seconds, { ...labels, ...more });
      return seconds;
    };
  }

  /** Observes how long some work takes, whether it succeeds or not. */
  async time<R>(
    name: string,
    labels: Labels,
    work: () => R | Promise<R>,
  ): Promise<R> {
    const stop = this.timer(name, labels);
    try {
      return await work();
    } finally {
      stop();
    }
  }

  /**
   * Sends what is buffered, and waits for pushes that are under way already. While
   * too many of them have no answer the buffer stays as it is.
   */
  async flush(): Promise<void> {
    if (!this.#link.isBusy) {
      const samples = this.take();
      if (samples.length > 0) {
        const push = this.#push(samples);
        this.#pushes.add(push);
        void push.then(() => this.#pushes.delete(push));
      }
    }
    await Promise.all(this.#pushes);
  }

  /** Never rejects. */
  async #push(samples: string[]): Promise<void> {
    const small = samples.filter(fits);
    const large = samples.length - small.length;
    if (large > 0) this.#drop("payload_too_large", large, "beyond 32 KB");
    if (small.length === 0) return;
    try {
      await this.#link.push(this.#key, elementsOf(small));
    } catch (error) {
      const { reason, message } = error as NotSent;
      this.#drop(reason, small.length, message);
    }
  }

  /** Flushes in the background, where many calls at once are few pushes. */
  flushSoon(): void {
    this.#again = true;
    if (!this.#flushing) void this.#flushAgain();
  }

  async #flushAgain(): Promise<void> {
    this.#flushing = true;
    while (this.#again) {
      this.#again = false;
      await this.flush();
    }
    this.#flushing = false;
  }

  /** Flushes, and ends the connection that `connect` made. */
  async close(): Promise<void> {
    await this.flush();
    this.#link.close();
  }

  /**
   * Wraps a handler, of AWS Lambda for instance, or any other unit of work: what it
   * recorded is sent before its result or its error is handed on.
   */
  wrap<A extends unknown[], R>(
    handler: (...args: A) => R | Promise<R>,
  ): (...args: A) => Promise<R> {
    return flushAfter(handler, () => this.flush());
  }

  /**
   * A middleware for Express, and for what has its interface: observes each request
   * by method, route and status, and sends what was recorded after the response.
   */
  middleware(name = "http_request_duration_seconds") {
    return (
      request: RequestLike,
      response: ResponseLike,
      next: () => void,
    ): void => {
      const stop = this.timer(name);
      response.once("close", () => {
        const { method, baseUrl = "", route } = request;
        stop({
          method,
          // Never the path itself: each would be a series.
          route: route ? `${baseUrl}${String(route.path)}` : "unmatched",
          status: response.writableFinished ? response.statusCode : "aborted",
        });
        this.flushSoon();
      });
      next();
    };
  }

  /** How many samples were dropped, by reason. Empty as long as all is well. */
  get dropped(): Readonly<Partial<Record<Reason, number>>> {
    return Object.fromEntries(this.#dropped);
  }

  /** What is buffered, each sample as JSON, after which nothing is. */
  protected take(): string[] {
    flushed(this);
    return this.#buffer.take();
  }

  #record(add: (buffer: SampleBuffer) => void): void {
    if (this.#disabled) return;
    try {
      if (this.#buffer.isFull) void this.flush();
      add(this.#buffer);
      flushAtExit(this);
    } catch (error) {
      this.#refuse(error, 1);
    }
  }

  #refuse(error: unknown, samples: number): void {
    if (error instanceof Refused) {
      this.#drop(error.reason, samples, error.message);
    } else {
      this.#drop("invalid_field", samples, shown(error));
    }
  }

  #drop(reason: Reason, samples: number, why: string): void {
    if (samples > 0) {
      this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + samples);
    }
    const last = this.#told.get(reason);
    const now = performance.now();
    if (last !== undefined && now - last < TELL_AGAIN_AFTER) return;
    this.#told.set(reason, now);
    try {
      const what = samples === 1 ? "a sample was" : `${samples} samples were`;
      const told = samples === 0 ? reason : `${what} dropped: ${reason}`;
      this.#log(`${told}: ${printable(why)}`);
    } catch {
      // Metrics never get in the way, and there is nobody else to tell.
    }
  }
}

export function logged(message: string): void {
  console.warn(`prom-stream-gateway: ${message}`);
}

function bounded(
  value: number | undefined,
  otherwise: number,
  most: number,
): number {
  return value !== undefined && value > 0 ? Math.min(value, most) : otherwise;
}

/** The key of one of the partitions. The first one has that of the queue itself. */
function partitionOf(key: string, given: number | undefined): string {
  const count = given ?? Number(process.env["PROM_STREAM_GATEWAY_PARTITIONS"]);
  const partition = Math.floor(Math.random() * count);
  return partition > 0 ? `${key}:${partition}` : key;
}

/** What ioredis was told to put before each key. */
function keyPrefixOf(redis: RedisLike | Connect): string | undefined {
  const { options } = (redis ?? {}) as { options?: { keyPrefix?: string } };
  return options?.keyPrefix;
}

/** What a server says, without what could command a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "?").slice(0, 300);
}
