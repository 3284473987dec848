import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { Bystanders } from "../support/bystanders.ts";
import { begin, http } from "../support/http.ts";
import { Monitor } from "../support/monitor.ts";
import { Random } from "../support/random.ts";
import { joinByWebSocket, pathOf, RawSession, RS } from "../support/raw-session.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { start, targets } from "../support/targets.ts";
import { within } from "../support/within.ts";

const seed = Number(process.env.SEED ?? 20_261_123);

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

  it("gets its answer while 50 other sessions notice nothing", async () => {
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

/** What clients say, before it is damaged. */
const seeds = [
  "40",
  "40/custom,",
  '40{"token":"x"}',
  "41",
  "41/custom,",
  '42["echo","a"]',
  '427["echo",1,{"a":[null,true]}]',
  '42/custom,["echo"]',
  '430["answer"]',
  '451-["echo",{"_placeholder":true,"num":0}]',
  '452-/custom,3["echo",{"_placeholder":true,"num":1}]',
  '461-0[{"_placeholder":true,"num":0}]',
  "bAQID",
  "b",
  "2",
  "2probe",
  "3",
  "3probe",
  "5",
  "6",
  "0",
  "44",
  '44{"message":"x"}',
  '42["binary"]',
  '42["ask",1]',
];
const strange = [
  "\x1e",
  "\0",
  "{",
  "}",
  "[",
  "]",
  '"',
  ",",
  "-",
  "/",
  "\\",
  "9",
  "-1",
  "1e9",
  "_placeholder",
  "__proto__",
  "文",
  "\ud800",
  "🎈",
  "null",
];

/** Something between a packet and noise. */
function damaged(random: Random): string {
  if (random.chance(0.1)) {
    return Array.from({ length: random.below(40) }, () => String.fromCharCode(random.below(0x250))).join("");
  }
  let text = random.pick(seeds);
  for (let i = random.below(3); i > 0; i--) {
    const at = random.below(text.length + 1);
    const rest = at + random.below(3);
    text = text.slice(0, at) + (random.chance(0.7) ? random.pick(strange) : "") + text.slice(rest);
  }
  return text;
}

describe.each(targets)("noise on %s", (target) => {
  it(`breaks no object: 20,000 random bodies and frames (SEED=${seed})`, async () => {
    const random = new Random(seed);
    const server = await start(target, "basic");
    const monitor = await Monitor.connect(server);
    const bystanders = await Bystanders.gather(server, monitor);
    const strangers: unknown[] = [];
    let count = 0;
    const worker = async () => {
      while (count < 20_000) {
        if (random.chance(0.25)) await sendBodies();
        else await sendFrames();
      }
    };

    async function sendBodies(): Promise<void> {
      const session = await RawSession.start(server);
      for (let i = random.below(4) + 1; i > 0; i--) {
        count++;
        const body = Array.from({ length: random.below(3) + 1 }, () => damaged(random)).join(RS);
        const reply = await session.post(body, { ms: 20_000 }).catch(() => undefined);
        if (reply === undefined) return;
        if (reply.status !== 200 && reply.status !== 400) strangers.push([reply.status, body]);
        if (reply.status !== 200) return;
      }
      const last = await session.post("1");
      if (last.status !== 200 && last.status !== 400) strangers.push([last.status, "1"]);
    }

    async function sendFrames(): Promise<void> {
      const socket = await RawSocket.open(server, pathOf({ EIO: "4", transport: "websocket" }));
      for (let i = random.below(12) + 1; i > 0; i--) {
        count++;
        socket.send(random.chance(0.1) ? Buffer.from(damaged(random)) : damaged(random));
      }
      socket.close();
      const { code } = await socket.end(20_000);
      if (![1005, 1006].includes(code)) strangers.push(["closed with", code]);
    }

    try {
      await within(Promise.all(Array.from({ length: 8 }, worker)), "end of the noise", 150_000);
      expect(strangers).toEqual([]);
      await bystanders.expectUndisturbed();
      const session = await RawSession.join(server);
      expect(await session.isAlive()).toBe(true);
      expect(server.complaints.filter((text) => /internal error|exceeded|uncaught/i.test(text))).toEqual([]);
    } finally {
      bystanders.leave();
      monitor.close();
      await server.close();
    }
  }, 180_000);
});
