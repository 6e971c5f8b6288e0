// The elements of the one LPUSH that sends samples.

const MAX_SAMPLE_BYTES = 32_000;

/** Neither Redis nor the gateway should have to hold much at once. */
const MAX_ARRAY_BYTES = 65_536;

/** Whether a sample is small enough to be sent. */
export function fits(sample: string): boolean {
  // A character is three bytes at most.
  return (
    sample.length * 3 < MAX_SAMPLE_BYTES ||
    Buffer.byteLength(sample) < MAX_SAMPLE_BYTES
  );
}

/**
 * The samples in arrays, as few as hold them, in their order: an element costs
 * Redis more than a sample does. One that is alone is an element itself.
 */
export function elementsOf(samples: string[]): string[] {
  const elements: string[] = [];
  let begin = 0;
  let bytes = 1;
  samples.forEach((sample, at) => {
    // Before each sample is a bracket or a comma, and behind the last one a bracket.
    const more = Buffer.byteLength(sample) + 1;
    if (at > begin && bytes + more > MAX_ARRAY_BYTES) {
      elements.push(elementOf(samples.slice(begin, at)));
      begin = at;
      bytes = 1;
    }
    bytes += more;
  });
  if (begin < samples.length) elements.push(elementOf(samples.slice(begin)));
  return elements;
}

function elementOf(samples: string[]): string {
  const text = samples.join(",");
  return samples.length === 1 ? text : `[${text}]`;
}
