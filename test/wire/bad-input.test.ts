import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { Bystanders } from "../support/bystanders.ts";
import { begin, http } from "../support/http.ts";
import { Monitor } from "../support/monitor.ts";
import { joinByWebSocket, pathOf, RawSession, RS } from "../support/raw-session.ts";
import { start, targets } from "../support/targets.ts";
import { noiseSuite } from "./noise.ts";

const methods = ["GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH"];
const queries: Record<string, string>[] = [
  {},
  { EIO: "4" },
  { EIO: "4", transport: "tobi" },
  { EIO: "4", transport: "__proto__" },
  { EIO: "4", transport: "polling", sid: "nobody" },
  { EIO: "4", transport: "websocket" },
  { EIO: "3", transport: "polling" },
  { EIO: "", transport: "polling" },
  { EIO: "4", transport: "polling", sid: `${"A".repeat(22)}.${"A".repeat(43)}` },
  { EIO: "4", transport: "polling", sid: "A".repeat(5_000) },
];
const bodies = [
  "",
  "abc",
  "2",
  "1",
  "7",
  "47",
  "40",
  "45",
  "451-",
  "450-[]",
  "42[]",
  '42["connect"]',
  "b",
  "bAQ==",
  "b***",
  `${RS}${RS}`,
];
const frames: (string | Uint8Array)[] = [
  ...bodies,
  new Uint8Array(0),
  new Uint8Array([1]),
  "x".repeat(1_000_001),
];

describe.each(targets)("bad input on %s", (target) => {
  let server: Running;
  let monitor: Monitor;
  let bystanders: Bystanders;
  beforeAll(async () => {
    server = await start(target, "basic");
    monitor = await Monitor.connect(server);
    bystanders = await Bystanders.gather(server, monitor);
  });
  afterAll(async () => {
    bystanders?.leave();
    monitor?.close();
    await server?.close();
  });

  it("gets its answer, and 50 other sessions are not affected", async () => {
    for (const method of methods) {
      for (const query of queries) {
        const { status } = await http(server, pathOf(query), { method });
        expect([400, 403], `${method} ${pathOf(query)}`).toContain(status);
      }
      const session = await RawSession.join(server);
      if (method === "GET" || method === "POST") continue;
      expect((await http(server, session.path(), { method })).status, `${method} with a sid`).toBe(500);
    }
    for (const body of [...bodies, "x".repeat(1_000_001)]) {
      const session = await RawSession.join(server);
      const outcome = await session.post(body).then(
        ({ status }) => status,
        () => "cut",
      );
      expect([200, 400, 413, "cut"], `body ${JSON.stringify(body.slice(0, 20))}`).toContain(outcome);
    }
    for (const frame of frames) {
      const { socket } = await joinByWebSocket(server);
      socket.send(frame);
      socket.close();
      await socket.end(15_000);
    }
    const session = await RawSession.join(server);
    const overlapping = await Promise.all([session.poll(), session.poll()]);
    expect(overlapping.map(({ status }) => status).sort()).toEqual([200, 400]);
    const cut = await RawSession.join(server);
    const poll = cut.begin();
    await monitor.parked(cut);
    poll.reset();
    await monitor.next("close", cut.sid);
    const upload = begin(server, (await RawSession.join(server)).path(), {
      method: "POST",
      open: true,
      body: "4",
      headers: { "content-type": "text/plain", "content-length": 1_000 },
    });
    await upload.flushed;
    upload.reset();
    await bystanders.expectUndisturbed();
  }, 120_000);
});

/** The release tests run more of it. */
noiseSuite(3_000);
