// A client with a connection of its own, by node-redis (the package `redis`).
import { createClient, type RedisClientOptions } from "redis";
import { Metrics, type Options } from "./client.js";
import type { Connection } from "./connection.js";
import { keyOr, urlOr } from "./environment.js";

export interface ConnectOptions extends Options {
  /** By default `PROM_STREAM_GATEWAY_REDIS_URL`, else `redis://localhost:6379`. `rediss://` is with TLS. */
  url?: string;
  /** More for node-redis, such as `socket`. What bounds a flush can't be changed. */
  redis?: RedisClientOptions;
}

/** Opens a connection at the first flush, keeps it, and replaces it when it was cut. */
export function connect(options: ConnectOptions = {}): Metrics {
  const { url, redis, key, ...rest } = options;
  const address = urlOr(url);
  // node-redis makes its commands with its first client, which takes as long as a
  // flush may: so not then.
  createClient();
  return new Metrics(
    (timeout) => new NodeRedisConnection(address, redis, timeout),
    { ...rest, key: keyOr(key) },
  );
}

class NodeRedisConnection implements Connection {
  readonly opened: Promise<unknown>;
  alive = true;
  readonly #redis: ReturnType<typeof create>;
  #why: Error | undefined;

  constructor(
    url: string,
    options: RedisClientOptions | undefined,
    timeout: number,
  ) {
    this.#redis = create(url, options, timeout);
    this.#redis.on("error", (error: Error) => {
      this.alive = false;
      this.#why ??= error;
    });
    // An idle connection doesn't keep a process from ending.
    this.#redis.unref();
    this.opened = this.#redis
      .connect()
      .catch((error: unknown) => this.#failed(error));
  }

  push(key: string, elements: string[]): Promise<unknown> {
    return this.#redis
      .lPush(key, elements)
      .catch((error: unknown) => this.#failed(error));
  }

  destroy(): void {
    this.alive = false;
    // It throws where it has closed itself already.
    if (this.#redis.isOpen) this.#redis.destroy();
  }

  #failed(error: unknown): never {
    throw this.#why ?? error;
  }
}

function create(
  url: string,
  options: RedisClientOptions | undefined,
  timeout: number,
) {
  return createClient({
    ...options,
    url,
    RESP: 2,
    // A push that failed is not sent again, and no other waits for Redis.
    disableOfflineQueue: true,
    // What else would be a round trip before the first push.
    disableClientInfo: true,
    socket: {
      ...options?.socket,
      reconnectStrategy: false,
      // Shorter than a flush, since one that is being opened can't be destroyed.
      connectTimeout: timeout * 0.9,
    },
  });
}
