// What `connect` takes from the environment where it isn't told.
import { DEFAULT_KEY } from "./client.js";

export function urlOr(given: string | undefined): string {
  return (
    given ??
    process.env["PROM_STREAM_GATEWAY_REDIS_URL"] ??
    "redis://localhost:6379"
  );
}

export function keyOr(given: string | undefined): string {
  return given ?? process.env["PROM_STREAM_GATEWAY_KEY"] ?? DEFAULT_KEY;
}
