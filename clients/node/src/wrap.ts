// A unit of work that ends with a flush, whether it succeeds or throws.

export function flushAfter<A extends unknown[], R>(
  handler: (...args: A) => R | Promise<R>,
  flush: () => Promise<void>,
): (...args: A) => Promise<R> {
  return async (...args) => {
    try {
      return await handler(...args);
    } finally {
      await flush();
    }
  };
}
