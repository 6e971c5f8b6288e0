// Calls the handler of producer.mjs for each line of standard input, an event as
// JSON, as Lambda does, and prints what it returns.
import { createInterface } from "node:readline";
import { handler } from "./producer.mjs";

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  console.log(`answer ${JSON.stringify(await handler(JSON.parse(line), {}))}`);
}
