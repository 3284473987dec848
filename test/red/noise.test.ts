import { expect, it } from "vitest";
import type { Reply } from "../support/http.ts";
import { Random } from "../support/random.ts";
import { pathOf, RawSession, RS } from "../support/raw-session.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { within } from "../support/within.ts";
import { Siege } from "./support/siege.ts";

const seed = Number(process.env.SEED ?? 20_261_128);
const inputs = Number(process.env.INPUTS ?? 4_000);

const namespaces = [
  "",
  "",
  "",
  "/open-a,",
  "/open-b?x=1,",
  "/refused-a,",
  "/slow,",
  "/nobody,",
  "/__proto__,",
  "/",
];
const events = [
  "echo",
  "join",
  "set",
  "unset",
  "get",
  "kick",
  "n",
  "in",
  "all here",
  "count",
  "nobody hears",
  "ask for ever",
];
const keys = [
  "__proto__",
  "constructor",
  "toJSON",
  "_placeholder",
  "num",
  "pid",
  "offset",
  "length",
  "then",
  "x",
  "",
];
const scalars = [
  null,
  true,
  0,
  -1,
  1e308,
  2 ** 53,
  "",
  "文\ud800",
  "\u001e",
  "x".repeat(3_000),
  "000000000000",
];
const pieces = ["{", "}", "[", "]", '"', ",", "-", ":", "9", "1e9", "\\u0000", "\0", RS, "b", "4", "🎈"];
/** The events that witnesses may receive because noise makes the application broadcast. */
const SAID_TO_ALL = /^([26]$|42\["(all here|in)")/;

/** A value of JSON: wide, deep, or with names that have a special meaning. */
function value(random: Random, depth = 0): unknown {
  if (depth > 4 || random.chance(0.4)) return random.pick(scalars);
  if (random.chance(0.05)) return JSON.parse(`${"[".repeat(1_500)}${"]".repeat(1_500)}`);
  if (random.chance(0.3)) return { _placeholder: true, num: random.pick([0, 1, -1, 1e9, "0", null]) };
  const items = Array.from({ length: random.below(5) }, () => value(random, depth + 1));
  if (random.chance(0.5)) return items;
  return Object.fromEntries(items.map((item) => [random.pick(keys), item]));
}

/** A message of Socket.IO, which may be valid. */
function message(random: Random, pids: readonly string[]): string {
  const nsp = random.pick(namespaces);
  const id = random.chance(0.5) ? "" : random.pick(["0", "1", "7", "99999999999999999999", " ", "01"]);
  switch (random.below(8)) {
    case 0: {
      const auth = random.chance(0.5)
        ? { pid: random.pick(pids), offset: random.pick(["", "000000000000", "zzzzzzzzzzzz", 1, undefined]) }
        : value(random);
      return `0${nsp}${JSON.stringify(auth)}`;
    }
    case 1:
      return `1${nsp}`;
    case 2:
      return `3${nsp}${id}${JSON.stringify([value(random)])}`;
    case 3:
    case 4: {
      const count = random.pick(["1", "2", "10", "11", "0", "-1", "1e1", ""]);
      return `${random.pick(["5", "6"])}${count}-${nsp}${id}${JSON.stringify([random.pick(events), value(random)])}`;
    }
    default:
      return `2${nsp}${id}${JSON.stringify([random.pick(events), value(random), value(random)])}`;
  }
}

/** A frame of Engine.IO: often a message, and sometimes damaged. */
function frame(random: Random, pids: readonly string[]): string {
  const text = random.chance(0.1)
    ? random.pick(["2", "2probe", "3", "3probe", "5", "6", "1", "0", "bAQID", "b4AQID", "b***", "4", "", "7"])
    : `4${message(random, pids)}`;
  return random.chance(0.2) ? random.splice(text, random.pick(pieces)) : text;
}

it(
  `breaks no object: ${inputs} inputs, with upgrades, uploads, naps and ticks among them (SEED=${seed})`,
  async () => {
    const siege = await Siege.lay("noise");
    const { victim } = siege;
    const random = new Random(seed);
    const pids: string[] = ["nobody", ""];
    const strange: unknown[] = [];
    let count = 0;

    const protocol = (): Record<string, string> => (random.chance(0.2) ? { EIO: "3" } : {});
    const note = (reply: Reply | undefined) => {
      if (reply !== undefined && ![200, 400, 403, 413].includes(reply.status))
        strange.push([reply.status, reply.body]);
      return reply?.status === 200;
    };
    const remember = (texts: readonly (string | Buffer)[]) => {
      for (const text of texts) {
        const pid = /"pid":"([^"]+)"/.exec(String(text))?.[1];
        if (pid !== undefined && pids.length < 50) pids.push(pid);
      }
    };
    const frames = (most: number) => {
      const some = Array.from({ length: random.below(most) + 1 }, () => frame(random, pids));
      count += some.length;
      return some;
    };

    async function byPolling(): Promise<void> {
      const query = protocol();
      const session = await RawSession.start(victim, query).catch(() => undefined);
      if (session === undefined) return;
      for (let i = random.below(4); i >= 0; i--) {
        const body =
          query.EIO === "3"
            ? frames(3)
                .map((it) => `${it.length}:${it}`)
                .join("")
            : frames(4).join(RS);
        const posts = [session.post(body, { ms: 20_000 })];
        if (random.chance(0.1)) posts.push(session.post(body, { ms: 20_000 }));
        if (random.chance(0.3)) session.begin().reply.then(note, () => {});
        const replies = await Promise.all(posts.map((post) => post.catch(() => undefined)));
        if (!replies.map(note).every(Boolean)) return;
      }
      if (random.chance(0.2)) session.upload("4", 100).reset();
      else note(await session.post("1").catch(() => undefined));
    }

    async function byWebSocket(path: string): Promise<void> {
      const socket = await RawSocket.open(victim, path).catch(() => undefined);
      if (socket === undefined) return;
      for (const text of frames(12)) {
        if (socket.socket.readyState !== 1) break;
        socket.send(random.chance(0.15) ? Buffer.from(text) : text);
      }
      if (random.chance(0.3)) return socket.cut();
      await new Promise((resolve) => setTimeout(resolve, 5));
      remember(socket.frames.seen);
      socket.close();
      const { code } = await socket.end(20_000);
      if (![1000, 1005, 1006, 1009, 1013].includes(code)) strange.push(["closed with", code]);
    }

    async function upgrading(): Promise<void> {
      const session = await RawSession.start(victim).catch(() => undefined);
      if (session === undefined) return;
      if (random.chance(0.5)) session.begin().reply.then(note, () => {});
      await byWebSocket(pathOf({ EIO: "4", transport: "websocket", sid: session.sid }));
      note(await session.post(frames(2).join(RS)).catch(() => undefined));
    }

    const worker = async () => {
      while (count < inputs) {
        const kind = random.below(10);
        if (kind < 3) await byPolling();
        else if (kind < 5) await upgrading();
        else await byWebSocket(pathOf({ EIO: "4", transport: "websocket", ...protocol() }));
      }
    };
    const disturb = async () => {
      while (count < inputs) {
        await victim.tick();
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    };

    await siege.during(
      () =>
        within(
          Promise.all([disturb(), ...Array.from({ length: 6 }, worker)]),
          "end of the noise",
          inputs * 20 + 60_000,
        ),
      SAID_TO_ALL,
    );
    expect(strange).toEqual([]);
    expect(victim.output).not.toMatch(/internal error|uncaught|exceeded/i);
    await siege.expectRoom();
    // The object is not evicted, because workerd keeps any object in memory for ever when a client's reset meets the
    // answer to its WebSocket handshake, and among so many clients one does.
    await siege.restart();
    await siege.during(() => victim.tick(), SAID_TO_ALL);
    await siege.expectNothingLeft();
  },
  inputs * 20 + 120_000,
);
