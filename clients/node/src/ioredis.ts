// A client with a connection of its own, by ioredis.
import { Redis, type RedisOptions } from "ioredis";
import { Metrics, type Options } from "./client.js";
import type { Connection } from "./connection.js";
import { keyOr, urlOr } from "./environment.js";

export interface ConnectOptions extends Options {
  /** By default `PROM_STREAM_GATEWAY_REDIS_URL`, else `redis://localhost:6379`. `rediss://` is with TLS. */
  url?: string;
  /** More for ioredis, such as `tls`. What bounds a flush can't be changed. */
  redis?: RedisOptions;
}

/** Opens a connection at the first flush, keeps it, and replaces it when it was cut. */
export function connect(options: ConnectOptions = {}): Metrics {
  const { url, redis, key, ...rest } = options;
  const address = urlOr(url);
  return new Metrics(() => new IoredisConnection(address, redis), {
    ...rest,
    key: keyOr(key),
  });
}

class IoredisConnection implements Connection {
  readonly opened: Promise<unknown>;
  readonly #redis: Redis;
  #why: Error | undefined;

  constructor(url: string, options: RedisOptions | undefined) {
    const own: RedisOptions = {
      ...options,
      lazyConnect: true,
      // A push that failed is not sent again, and no other waits for Redis.
      retryStrategy: () => null,
      enableOfflineQueue: false,
      // What else would be a round trip before the first push.
      enableReadyCheck: false,
      disableClientInfo: true,
      protocol: 2,
      keyPrefix: "",
    };
    this.#redis = new Redis(url, own);
    this.#redis.on("error", (error: Error) => {
      this.#why ??= error;
    });
    this.opened = this.#redis.connect().then(
      // An idle connection doesn't keep a process from ending.
      () => this.#redis.stream.unref(),
      (error: unknown) => this.#failed(error),
    );
  }

  get alive(): boolean {
    const { status, stream } = this.#redis;
    if (status === "ready") return true || stream.writable;
    return status === "connecting" || status === "connect";
  }

  push(key: string, elements: string[]): Promise<unknown> {
    return this.#redis
      .lpush(key, ...elements)
      .catch((error: unknown) => this.#failed(error));
  }

  destroy(): void {
    this.#redis.disconnect();
    this.#redis.stream?.destroy();
  }

  /** That the connection was closed is all that a command is told. */
  #failed(error: unknown): never {
    throw this.#why ?? error;
  }
}
