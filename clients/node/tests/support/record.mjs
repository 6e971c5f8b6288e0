// A client that pushes onto a list in this process.
import { Metrics } from "prom-stream-gateway";

export function recording(options = {}) {
  const pushes = [];
  const said = [];
  const lpush = (key, ...elements) => {
    pushes.push(elements);
    return Promise.resolve(pushes.length);
  };
  const metrics = new Metrics(
    { lpush },
    { log: (message) => said.push(message), ...options },
  );
  const samples = async () => {
    await metrics.flush();
    return pushes
      .splice(0)
      .flat()
      .flatMap((element) => JSON.parse(element));
  };
  return { metrics, pushes, said, samples };
}

/** Random numbers that a seed brings back: it is printed where a test fails. */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const below = (bound) => Math.floor(next() * bound);
  return { next, below, of: (list) => list[below(list.length)] };
}
