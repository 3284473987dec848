import { afterAll, beforeAll } from "vitest";
import { bundleModule } from "../../scripts/build-client.ts";
import type * as client from "../../src/client/index.ts";
import type { Running } from "../support/app.ts";
import { start } from "../support/targets.ts";
import { interopSuite } from "./interop-suite.ts";

const servers: Running[] = [];
let bundled: typeof client;

beforeAll(async () => {
  bundled = await import(`data:text/javascript,${encodeURIComponent(await bundleModule())}`);
  servers.push(await start("official", "interop"), await start("official", "interop", "recovery"));
});

afterAll(() => Promise.all(servers.map((server) => server.close())));

interopSuite(
  "the minified client and Socket.IO on Node",
  () => ({ server: servers[0]!, recovery: servers[1]! }),
  { io: () => bundled.io },
);
