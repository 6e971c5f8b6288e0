// What the client pushes through: a connection that is opened when it is needed,
// found dead before it is written to, and given up when a push fails.
import { clearInterval, setImmediate, setInterval } from "node:timers";
import type { Reason } from "./sample.js";

/** A connection of ioredis, or of node-redis: whatever can push onto a list. */
export type RedisLike =
  | { lpush(key: string, ...elements: string[]): Promise<unknown> }
  | { lPush(key: string, elements: string[]): Promise<unknown> };

/** A connection that belongs to the client. */
export interface Connection {
  /** Settles when it can be written to, or can't be opened. */
  readonly opened: Promise<unknown>;
  /** False once it was found to have ended. */
  readonly alive: boolean;
  push(key: string, elements: string[]): Promise<unknown>;
  /** Ends it at once, whatever state it is in. */
  destroy(): void;
}

/** Begins to open a connection. It gets as many milliseconds as a flush. */
export type Connect = (timeout: number) => Connection;

/** Pushes that may be without an answer at a time. */
const MAX_UNANSWERED = 16;

/** Parts of a flush's time, see `within`. */
const TICKS = 5;

/** Why a push failed. */
export class NotSent extends Error {
  constructor(
    readonly reason: Reason,
    message: string,
  ) {
    super(message);
  }
}

export class Link {
  readonly #connect: Connect;
  readonly #timeout: number;
  #kept: Connection | undefined;
  #unanswered = 0;

  constructor(connect: Connect, timeout: number) {
    this.#connect = connect;
    this.#timeout = timeout;
  }

  get isBusy(): boolean {
    return this.#unanswered >= MAX_UNANSWERED;
  }

  /** Rejects with `NotSent` after the time-out at the latest. Nothing is tried twice. */
  async push(key: string, elements: string[]): Promise<void> {
    this.#unanswered += 1;
    // A process that was frozen hears only then that its connection was cut.
    await aTurn();
    const connection = this.#alive();
    try {
      const answer = this.#answer(connection, key, elements);
      await within(this.#timeout, answer);
    } catch (error) {
      // The next answer might be that to this push, or the next error the same one.
      this.#giveUp(connection);
      throw error instanceof NotSent ? error : notSent(error);
    }
  }

  close(): void {
    if (this.#kept) this.#giveUp(this.#kept);
  }

  /** The kept connection, or another one where it was cut meanwhile. */
  #alive(): Connection {
    if (!this.#kept?.alive) {
      try {
        this.#kept = this.#connect(this.#timeout);
      } catch (error) {
        this.#kept = failed(error);
      }
    }
    return this.#kept;
  }

  /** The push counts as unanswered until this settles, be it after the time-out. */
  async #answer(
    connection: Connection,
    key: string,
    elements: string[],
  ): Promise<void> {
    try {
      await connection.opened;
      // It was given up meanwhile, and its samples are counted as dropped.
      if (!connection.alive) throw new Error("the connection was closed");
      await connection.push(key, elements);
    } finally {
      this.#unanswered -= 1;
    }
  }

  #giveUp(connection: Connection): void {
    if (this.#kept === connection) this.#kept = undefined;
    connection.destroy();
  }
}

/** A whole turn of the event loop, wherever in one this is. */
function aTurn(): Promise<void> {
  return new Promise((done) => {
    setImmediate(() => setImmediate(done));
  });
}

/**
 * Waits for so many milliseconds at most, in short parts: while the program itself
 * keeps the event loop busy, or is frozen, only one of them goes by, and an answer
 * that has come meanwhile is seen before the time is over.
 */
async function within(
  milliseconds: number,
  work: Promise<void>,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    let ticks = 0;
    timer = setInterval(() => {
      ticks += 1;
      if (ticks < TICKS) return;
      const message = `expected an answer within ${milliseconds} ms, got none`;
      reject(new NotSent("redis_timeout", message));
    }, milliseconds / TICKS);
  });
  try {
    await Promise.race([work, over]);
  } finally {
    clearInterval(timer);
  }
}

/** Both libraries have classes for errors that Redis answers with. */
const ANSWERS = new Set(["ReplyError", "ErrorReply", "SimpleError"]);

function notSent(error: unknown): NotSent {
  if (!(error instanceof Error)) {
    return new NotSent("redis_unreachable", String(error));
  }
  const { name, message, constructor } = error;
  // That of a host with several addresses has a code only.
  const { code } = error as NodeJS.ErrnoException;
  const answered = ANSWERS.has(name) || ANSWERS.has(constructor.name);
  return new NotSent(
    answered ? "redis_error" : "redis_unreachable",
    message || code || name,
  );
}

/** In place of one that can't even be asked for, by an address that is none. */
function failed(error: unknown): Connection {
  return {
    opened: Promise.reject(error),
    alive: false,
    push: () => Promise.reject(error),
    destroy: () => {},
  };
}

/** A connection that belongs to somebody else, who has to open and to end it. */
export function borrowed(redis: RedisLike): Connect {
  const connection: Connection = {
    opened: Promise.resolve(),
    alive: true,
    push: (key, elements) =>
      "lPush" in redis
        ? redis.lPush(key, elements)
        : redis.lpush(key, ...elements),
    destroy: () => {},
  };
  return () => connection;
}
