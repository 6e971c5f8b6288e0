// Numbers and texts for the eye.

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** `1,234,567` */
const count = (number) => whole.format(number);

/** `1.2M`, where there is little room. */
const compact = (number) => (number < 10_000 ? rate(number) : short.format(number));

/** Whole from ten on, else with one decimal. */
const rate = (number) => (number > 0 && number < 9.95 ? number.toFixed(1) : whole.format(number));

const perSecond = (number) => `${rate(number)}/s`;

/** Between a number and its unit, where no line may break. */
const JOINT = "\u00a0";

/** A part of one: `12 %`. */
const share = (part) => `${rate(part * 100)}${JOINT}%`;

/** `3.4 MiB` */
function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (number >= 1023.95 && unit < units.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${unit ? number.toFixed(1) : number}${JOINT}${units[unit]}`;
}

/** How long something took. */
const span = (seconds) => (seconds < 1 ? `${(seconds * 1000).toFixed(1)}${JOINT}ms` : `${seconds.toFixed(1)}${JOINT}s`);

/** How long something has been going on: `42 s`, `3 min 7 s`, `2 h 5 min`, `3 d 4 h`. */
function age(seconds) {
  seconds = Math.max(0, Math.round(seconds));
  const [minutes, hours, days] = [60, 3600, 86_400].map((unit) => Math.floor(seconds / unit));
  const of = (number, unit) => `${number}${JOINT}${unit}`;
  const both = (a, number, unit) => (number ? `${a} ${of(number, unit)}` : a);
  if (days) return both(of(days, "d"), hours % 24, "h");
  if (hours) return both(of(hours, "h"), minutes % 60, "min");
  if (minutes) return both(of(minutes, "min"), seconds % 60, "s");
  return of(seconds, "s");
}

/** How long ago something was, to its largest unit. */
const ago = (seconds) => (seconds < 1 ? "just now" : `${age(seconds).split(" ")[0]} ago`);

const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** Makes visible what would turn or break a line: controls, and marks of direction. */
const plain = (text) =>
  String(text).replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const known = { "\n": "\\n", "\t": "\\t", "\r": "\\r" }[character];
    return known ?? `\\u{${character.codePointAt(0).toString(16)}}`;
  });
