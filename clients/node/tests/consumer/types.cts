// The same package as CommonJS sees it.
import { Metrics } from "prom-stream-gateway";
import ioredis = require("prom-stream-gateway/ioredis");
import redis = require("prom-stream-gateway/redis");
import testing = require("prom-stream-gateway/testing");

const clients: Metrics[] = [
  ioredis.connect(),
  redis.connect(),
  new testing.FakeMetrics(),
];

export = clients;
