import { afterAll, beforeAll } from "vitest";
import type { Running } from "../support/app.ts";
import { start, targets } from "../support/targets.ts";
import { interopSuite } from "./interop-suite.ts";

for (const target of targets) {
  const servers: Running[] = [];
  const pick = () => ({ server: servers[0]!, recovery: servers[1]! });

  beforeAll(async () => {
    servers.push(await start(target, "interop"), await start(target, "interop", "recovery"));
  });
  afterAll(() => Promise.all(servers.map((server) => server.close())));

  interopSuite(target, pick);
  if (target === "edge") interopSuite("edge, asleep between the steps", pick, { isAsleep: true });
}
