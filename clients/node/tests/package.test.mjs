// The package as npm packs it, in a folder of somebody else: it can be imported and
// required, with each version of each library, and its types are right.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { FakeRedis } from "./support/redis.mjs";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");

let folder, packed;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prom-stream-gateway-"));
  const pack = ["pack", "--ignore-scripts", "--pack-destination", folder];
  const file = execFileSync("npm", pack, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  execFileSync("tar", ["-xzf", join(folder, file.trim()), "-C", folder]);
  packed = join(folder, "package");
});

after(() => rm(folder, { recursive: true }));

/** A folder with the package, the programs, and those libraries by those names. */
async function consumer(name, libraries) {
  const at = join(folder, name);
  await cp(join(root, "tests/consumer"), at, { recursive: true });
  const own = join(at, "node_modules");
  await cp(packed, join(own, "prom-stream-gateway"), { recursive: true });
  for (const [library, source] of Object.entries(libraries)) {
    await mkdir(join(own, library, ".."), { recursive: true });
    await symlink(join(modules, source), join(own, library));
  }
  return at;
}

test("it has what it promises, and nothing else", async () => {
  const files = await readdir(packed);
  assert.deepEqual(files.sort(), [
    "LICENSE",
    "README.md",
    "dist",
    "package.json",
  ]);
  const { exports, version } = JSON.parse(
    await readFile(join(packed, "package.json"), "utf8"),
  );
  assert.match(version, /^\d+\.\d+\.\d+$/);
  for (const entry of Object.values(exports)) {
    for (const file of typeof entry === "string" ? [] : Object.values(entry)) {
      await readFile(join(packed, file));
      await readFile(join(packed, file.replace(/\.js$/, ".d.ts")));
    }
  }
});

for (const source of ["ioredis", "ioredis5", "redis", "redis5"]) {
  test(`it can be imported and required, with ${source}`, async () => {
    const library = source.replace("5", "");
    const cwd = await consumer(source, { [library]: source });
    const redis = await FakeRedis.start();
    const env = { ...process.env, PROM_STREAM_GATEWAY_REDIS_URL: redis.url };
    for (const program of ["import.mjs", "require.cjs"]) {
      await run(process.execPath, [program, library], { cwd, env });
    }
    const names = redis.samples.map(({ name }) => name);
    assert.deepEqual(names, ["imported_total", "required_total"]);
    await redis.stop();
  });
}

for (const version of ["", "5"]) {
  test(`its types are right, with ioredis${version} and redis${version}`, async () => {
    const cwd = await consumer(`types${version}`, {
      ioredis: `ioredis${version}`,
      redis: `redis${version}`,
      "prom-client": "prom-client",
      "@types/node": "@types/node",
    });
    try {
      await run(join(modules, ".bin/tsc"), ["-p", "."], { cwd });
    } catch (error) {
      assert.fail(error.stdout);
    }
  });
}
