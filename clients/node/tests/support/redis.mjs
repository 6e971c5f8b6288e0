// A server that takes pushes as Redis does, or fails in one of the ways in which
// one can.
import { createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";

/** What it does with a command. */
const ANSWERS = {
  answers: (socket, command) =>
    socket.write(command[0].toUpperCase() === "LPUSH" ? ":1\r\n" : "+OK\r\n"),
  refuses: (socket) => socket.write("-ERR expected another key\r\n"),
  isSilent: () => {},
  cuts: (socket) => socket.end("$"),
};

export class FakeRedis {
  /** The elements of each push, in their order. */
  pushes = [];
  /** The lists that were pushed onto. */
  keys = [];
  connections = 0;
  behaves = "answers";
  #sockets = new Set();
  #server;
  #scheme;
  #waiting = [];

  /** With TLS where it gets a certificate. */
  constructor(certificate) {
    const serve = (socket) => this.#serve(socket);
    this.#scheme = certificate ? "rediss" : "redis";
    this.#server = certificate
      ? createTlsServer(certificate, serve)
      : createServer(serve);
  }

  static async start(behaves = "answers", certificate = undefined) {
    const redis = new FakeRedis(certificate);
    redis.behaves = behaves;
    await new Promise((done) => redis.#server.listen(0, "127.0.0.1", done));
    return redis;
  }

  get url() {
    return `${this.#scheme}://127.0.0.1:${this.#server.address().port}`;
  }

  /** The samples of all pushes. */
  get samples() {
    return this.pushes.flat().flatMap((element) => JSON.parse(element));
  }

  get open() {
    return this.#sockets.size;
  }

  /** Ends all connections, and resolves when nothing is left of them here. */
  async cut() {
    const sockets = [...this.#sockets];
    for (const socket of sockets) socket.destroy();
    await this.until(() => this.open === 0);
  }

  /** Resolves when that holds. */
  until(holds) {
    if (holds()) return Promise.resolve();
    return new Promise((done) => this.#waiting.push({ holds, done }));
  }

  async stop() {
    await this.cut();
    await new Promise((done) => this.#server.close(done));
  }

  #changed() {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ holds }) => !holds());
    for (const one of waiting) {
      if (!this.#waiting.includes(one)) one.done();
    }
  }

  #serve(socket) {
    this.connections += 1;
    this.#sockets.add(socket);
    let received = Buffer.alloc(0);
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, bytes]);
      for (;;) {
        const [command, rest] = commandOf(received);
        if (!command) break;
        received = rest;
        this.#take(socket, command);
      }
      this.#changed();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#changed();
    });
    this.#changed();
  }

  #take(socket, command) {
    if (command[0].toUpperCase() === "LPUSH" && this.behaves === "answers") {
      this.keys.push(command[1]);
      this.pushes.push(command.slice(2));
    }
    ANSWERS[this.behaves](socket, command);
  }
}

/** The first command of those bytes, if it is there as a whole, and what follows. */
function commandOf(bytes) {
  let at = 0;
  const number = () => {
    const end = bytes.indexOf("\r\n", at);
    if (end === -1) return undefined;
    const value = Number(bytes.toString("latin1", at + 1, end));
    at = end + 2;
    return value;
  };
  const length = number();
  if (length === undefined) return [];
  const command = [];
  for (let part = 0; part < length; part++) {
    const size = number();
    if (size === undefined || bytes.length < at + size + 2) return [];
    command.push(bytes.toString("utf8", at, at + size));
    at += size + 2;
  }
  return [command, bytes.subarray(at)];
}
