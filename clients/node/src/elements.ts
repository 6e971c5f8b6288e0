// The elements of the one LPUSH that sends samples.

/** Up to so many samples are an element each, more go into arrays. */
const MAX_SINGLE = 100;

const MAX_ELEMENT_BYTES = 32_000;

/** Whether a sample fits into an element. */
export function fits(sample: string): boolean {
  // A character is three bytes at most.
  return (
    sample.length * 3 < MAX_ELEMENT_BYTES ||
    Buffer.byteLength(sample) < MAX_ELEMENT_BYTES
  );
}

/** Elements of fewer than 32 KB, the samples in their order. */
export function elementsOf(samples: string[]): string[] {
  return samples.length <= MAX_SINGLE ? samples : arraysOf(samples);
}

function arraysOf(samples: string[]): string[] {
  const arrays: string[] = [];
  let begin = 0;
  let bytes = 0;
  samples.forEach((sample, at) => {
    const more = Buffer.byteLength(sample) + 1;
    if (bytes > 0 && bytes + more > MAX_ELEMENT_BYTES) {
      arrays.push(`[${samples.slice(begin, at).join(",")}]`);
      begin = at;
      bytes = 0;
    }
    bytes += more;
  });
  arrays.push(`[${samples.slice(begin).join(",")}]`);
  return arrays;
}
