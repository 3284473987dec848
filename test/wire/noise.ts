import { describe, expect, it } from "vitest";
import { Bystanders } from "../support/bystanders.ts";
import { Monitor } from "../support/monitor.ts";
import { Random } from "../support/random.ts";
import { pathOf, RawSession, RS } from "../support/raw-session.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { start, targets } from "../support/targets.ts";
import { within } from "../support/within.ts";

const seed = Number(process.env.SEED ?? 20_261_123);

/** Valid packets of clients, before they are damaged. */
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

/** A text between a packet and noise. */
function damaged(random: Random): string {
  if (random.chance(0.1)) {
    return Array.from({ length: random.below(40) }, () => String.fromCharCode(random.below(0x250))).join("");
  }
  let text = random.pick(seeds);
  for (let i = random.below(3); i > 0; i--) {
    text = random.splice(text, random.chance(0.7) ? random.pick(strange) : "");
  }
  return text;
}

/** How a server handles so many random bodies and frames. */
export function noiseSuite(count: number): void {
  describe.each(targets)("noise on %s", (target) => {
    it(`breaks no object: ${count.toLocaleString("en")} random bodies and frames (SEED=${seed})`, async () => {
      const random = new Random(seed);
      const server = await start(target, "basic");
      const monitor = await Monitor.connect(server);
      const bystanders = await Bystanders.gather(server, monitor);
      const strangers: unknown[] = [];
      let sent = 0;
      const worker = async () => {
        while (sent < count) {
          if (random.chance(0.25)) await sendBodies();
          else await sendFrames();
        }
      };

      async function sendBodies(): Promise<void> {
        const session = await RawSession.start(server);
        for (let i = random.below(4) + 1; i > 0; i--) {
          sent++;
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
          sent++;
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
        expect(server.complaints.filter((text) => /internal error|exceeded|uncaught/i.test(text))).toEqual(
          [],
        );
      } finally {
        bystanders.leave();
        monitor.close();
        await server.close();
      }
    }, 180_000);
  });
}
