// A sample as the gateway takes it, and why one is refused before it is sent.

/** Labels of a series. One that is empty, null or undefined is no label. */
export type Labels = Readonly<
  Record<string, string | number | bigint | boolean | null | undefined>
>;

/** What a sample does to a gauge. */
export type GaugeOperation = "set" | "add" | "max" | "min";

/** One sample: what is sent for one series. */
export interface Sample {
  type: "counter" | "gauge" | "histogram" | "summary";
  name: string;
  labels?: Readonly<Record<string, string>> | undefined;
  /** Of a counter or a gauge, or the only observation. */
  value?: number;
  op?: GaugeOperation;
  /** Observations. */
  values?: readonly number[];
  buckets?: readonly number[];
  /** Observations in each bucket, not cumulative, and at last those in +Inf. */
  counts?: readonly number[];
  /** The sum of the observations in `counts`. */
  sum?: number;
  quantiles?: readonly number[];
  epsilons?: readonly number[];
  help?: string | undefined;
  unit?: string | undefined;
  ttl?: number | undefined;
}

/** Why samples were dropped. Those about a sample itself are the gateway's words. */
export type Reason =
  | "invalid_name"
  | "invalid_label_name"
  | "invalid_label_value"
  | "name_too_long"
  | "label_too_long"
  | "invalid_field"
  | "non_finite"
  | "negative_counter"
  | "bad_buckets"
  | "bad_quantiles"
  | "bad_ttl"
  | "invalid_unit"
  | "payload_too_large"
  /** The buffer was full, and pushes were still without an answer. */
  | "buffer_full"
  /** No connection, or it was cut. */
  | "redis_unreachable"
  /** No answer in time. */
  | "redis_timeout"
  /** Redis, or the gateway's own queue, answered with an error. */
  | "redis_error";

/** A sample that can't be sent. */
export class Refused extends Error {
  constructor(
    readonly reason: Reason,
    message: string,
  ) {
    super(message);
  }
}

/** Any text that is not blank, or, of a label, not Prometheus' own. */
const METRIC_NAME = /^(?=.*\P{White_Space})\P{Surrogate}*$/su;
const LABEL_NAME = /^(?!__)\P{Surrogate}+$/u;

/** As much as the gateway takes of a name, in bytes, and of a label's value. */
const MAX_NAME = 512;
const MAX_LABEL_VALUE = 2_048;

function tooLong(reason: Reason, most: string, text: string): Refused {
  return new Refused(reason, `expected ${most} at most, got ${shown(text)}`);
}

function checkLength(name: string): void {
  if (Buffer.byteLength(name) > MAX_NAME) {
    throw tooLong("name_too_long", `${MAX_NAME} bytes`, name);
  }
}

export function checkName(name: unknown): void {
  if (typeof name !== "string" || !METRIC_NAME.test(name)) {
    throw new Refused(
      "invalid_name",
      `expected a name like jobs_total, got ${shown(name)}`,
    );
  }
  checkLength(name);
}

/** What else has keys, such as the letters of a text, has no labels. */
export function checkLabels(labels: unknown): void {
  if (typeof labels !== "object" || Array.isArray(labels)) {
    const message = `expected labels by name, got ${shown(labels)}`;
    throw new Refused("invalid_field", message);
  }
}

/** The labels as they are sent, sorted. `own` is one that the type prints itself. */
export function sentLabels(
  labels: Labels,
  own: string | undefined,
): Record<string, string> | undefined {
  let sent: Record<string, string> | undefined;
  for (const name of Object.keys(labels).sort()) {
    checkLength(name);
    if (!LABEL_NAME.test(name) || name === own) {
      throw new Refused(
        "invalid_label_name",
        `expected a label name like queue, got ${shown(name)}`,
      );
    }
    const text = labelText(name, labels[name]);
    if (text === "") continue;
    if (text.length > MAX_LABEL_VALUE) {
      throw tooLong("label_too_long", `${MAX_LABEL_VALUE} characters`, text);
    }
    sent ??= {};
    sent[name] = wellFormed(text);
  }
  return sent;
}

/** Empty where there is no label. */
function labelText(name: string, value: unknown): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "boolean":
    case "bigint":
      return String(value);
    case "undefined":
      return "";
    default:
      if (value === null) return "";
      throw new Refused(
        "invalid_label_value",
        `expected a text, number or boolean as value of ${name}, got ${shown(value)}`,
      );
  }
}

export function checkNumber(value: unknown): number {
  if (typeof value !== "number") {
    throw new Refused(
      "invalid_field",
      `expected a number as value, got ${shown(value)}`,
    );
  }
  return checkFinite(value);
}

export function checkFinite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new Refused("non_finite", `expected a finite number, got ${value}`);
}

/** The finite upper bounds. */
export function checkBuckets(buckets: readonly number[]): readonly number[] {
  const bounds = buckets.at(-1) === Infinity ? buckets.slice(0, -1) : buckets;
  const increase = bounds.every(
    (bound, at) =>
      Number.isFinite(bound) && (at === 0 || bound > bounds[at - 1]!),
  );
  if (bounds.length === 0 || !increase) {
    throw new Refused(
      "bad_buckets",
      `expected finite buckets that increase, got ${shown(buckets)}`,
    );
  }
  return [...bounds];
}

export function checkQuantiles(
  quantiles: readonly number[],
): readonly number[] {
  if (!quantiles.every((quantile) => quantile >= 0 && quantile <= 1)) {
    throw new Refused(
      "bad_quantiles",
      `expected quantiles from 0 to 1, got ${shown(quantiles)}`,
    );
  }
  return [...quantiles];
}

export function checkTtl(seconds: number): number {
  if (checkNumber(seconds) >= 0) return seconds;
  throw new Refused("bad_ttl", `expected seconds from 0 on, got ${seconds}`);
}

/** The error in rank that is allowed for a quantile: a tenth of what is beyond it. */
export function epsilonOf(quantile: number): number {
  const beyond = Math.min(quantile, 1 - quantile) / 10;
  return Math.max(Number(beyond.toPrecision(3)), 0.0001);
}

/** Half a surrogate pair, which UTF-8 can't write. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

export function wellFormed(text: string): string {
  return text.replace(LONE_SURROGATE, "\u{FFFD}");
}

/** A value in a message: short, and whatever it is. */
export function shown(value: unknown): string {
  let text: string;
  try {
    text =
      typeof value === "string" || Array.isArray(value)
        ? JSON.stringify(value)
        : String(value);
  } catch {
    text = typeof value;
  }
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
