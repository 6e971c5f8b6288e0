export {
  DEFAULT_BUCKETS,
  DEFAULT_KEY,
  Metrics,
  type Gauge,
  type Options,
  type RequestLike,
  type ResponseLike,
  type StopTimer,
} from "./client.js";
export type { Description } from "./buffer.js";
export type { Connect, Connection, RedisLike } from "./connection.js";
export type { GaugeOperation, Labels, Reason, Sample } from "./sample.js";
