// ioredis, and node-redis in RESP2 and RESP3.
const port = Number(process.argv[2]);
const queue = "prom-stream-gateway:metric-queue";
const sample = (way) => `{"name":"client_total","value":1,"labels":{"way":"${way}"}}`;

async function ioredis() {
  const Redis = require("ioredis");
  const client = new Redis({ port, connectionName: "test" });
  await client.lpush(queue, sample("ioredis"));
  await client.rpush(queue, sample("ioredis"), sample("ioredis"));
  const push = (batch, way) => {
    for (let i = 0; i < 3; i++) batch.lpush(queue, sample(way));
    return batch.exec();
  };
  await push(client.pipeline(), "ioredis pipeline");
  await push(client.multi(), "ioredis transaction");
  const subscriber = client.duplicate();
  await subscriber.subscribe("nothing");
  subscriber.disconnect();
  await client.quit();
}

async function nodeRedis(RESP) {
  const { createClient } = require("redis");
  const client = createClient({ socket: { port }, RESP, name: "test" });
  client.on("error", (error) => { throw error; });
  await client.connect();
  const way = `node-redis ${RESP}`;
  await client.lPush(queue, sample(way));
  await client.rPush(queue, [sample(way), sample(way)]);
  const multi = client.multi();
  for (let i = 0; i < 3; i++) multi.lPush(queue, sample(`${way} transaction`));
  await multi.exec();
  await Promise.all([1, 2, 3].map(() => client.lPush(queue, sample(`${way} pipeline`))));
  await client.close();
}

(async () => {
  await ioredis();
  await nodeRedis(2);
  await nodeRedis(3);
})();
