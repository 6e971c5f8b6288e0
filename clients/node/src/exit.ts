// A process that ends because nothing is left to do sends what is still buffered.
// One that calls `process.exit` does not, and has to flush before.

interface Client {
  flush(): Promise<void>;
}

const unflushed = new Set<Client>();
let listens = false;

export function flushAtExit(client: Client): void {
  unflushed.add(client);
  if (listens) return;
  listens = true;
  process.on("beforeExit", () => {
    for (const waiting of unflushed) void waiting.flush();
  });
}

export function flushed(client: Client): void {
  unflushed.delete(client);
}
