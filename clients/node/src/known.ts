// The series that were recorded lately, found by name and labels. What is checked
// and written once for a series is so until it is forgotten, over all flushes.
import type { Labels } from "./sample.js";

/** A step on the way from a name over labels and their values, as they were given. */
class Step<S> {
  readonly next = new Map<unknown, Step<S>>();
  series: S | undefined;
}

export class KnownSeries<S> {
  readonly #most: number;
  #root = new Step<S>();
  #steps = 0;
  /** By what is sent: one series has several ways, as labels have no order. */
  #series = new Map<string, S>();

  /** Forgets all of them beyond so many steps. */
  constructor(mostSteps: number) {
    this.#most = mostSteps;
  }

  forget(): void {
    this.#root = new Step();
    this.#steps = 0;
    this.#series = new Map();
  }

  /** `headOf` writes what is sent of a series, `make` makes one that is not known. */
  find(
    name: string,
    labels: Labels,
    headOf: (name: string, labels: Labels) => string,
    make: (head: string) => S,
  ): S {
    let step = this.#root.next.get(name);
    if (step) {
      for (const label of Object.keys(labels)) {
        step = step.next.get(label)?.next.get(labels[label]);
        if (!step) break;
      }
    }
    return step?.series ?? this.#learn(name, labels, headOf, make);
  }

  #learn(
    name: string,
    labels: Labels,
    headOf: (name: string, labels: Labels) => string,
    make: (head: string) => S,
  ): S {
    // First of all, since it throws where something is wrong with them.
    const head = headOf(name, labels);
    const series = this.#series.get(head) ?? make(head);
    if (this.#steps >= this.#most) this.forget();
    let step = this.#step(this.#root, name);
    for (const [label, value] of Object.entries(labels)) {
      step = this.#step(this.#step(step, label), value);
    }
    step.series = series;
    this.#series.set(head, series);
    return series;
  }

  #step(from: Step<S>, key: unknown): Step<S> {
    let to = from.next.get(key);
    if (!to) {
      to = new Step();
      from.next.set(key, to);
      this.#steps += 1;
    }
    return to;
  }
}
