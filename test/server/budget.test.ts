import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Server } from "../../src/server/index.ts";
import { Random } from "../support/random.ts";
import { FakeObject, type TestClient } from "./fakes.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

/** An application that keeps everything that can be kept for a while, or until nobody waits for it any more. */
function setup(io: Server): void {
  io.of(/^\/slow/).use((_socket, next) => void setTimeout(next, 3_000));
  io.of(/^\/never/).use(() => {});
  io.of(/^\/no/).use((_socket, next) => next(new Error("no")));
  for (const nsp of [io.of("/"), io.of(/^\/any/), io.of(/^\/slow/)]) {
    nsp.on("connection", (socket) => {
      socket.use((_event, next) => next());
      socket.on("echo", (value, ack) => (ack === undefined ? socket.emit("echo", value) : ack(value)));
      socket.on("owe", () => {});
      socket.on("later", (ms, ack) => void setTimeout(() => ack?.(), ms));
      socket.on("await", (ms) => new Promise((resolve) => setTimeout(resolve, ms)));
      socket.on("throw", () => {
        throw new Error("a mistake");
      });
      socket.on("join", (rooms) => void socket.join(rooms));
      socket.on("leave", (room) => void socket.leave(room));
      socket.on("set", (key, value) => {
        socket.data[key] = value;
      });
      socket.on("ask", (ms) => void socket.timeout(ms).emit("question", () => {}));
      socket.on("ask for ever", () => void socket.emit("question", () => {}));
      socket.on("ask all", (ms) => void io.timeout(ms).emit("question", () => {}));
      socket.on("kick", () => void socket.disconnect());
      socket.on("kick all", () => void socket.disconnect(true));
    });
  }
}

/** The namespace that each client joins at first, and those that it may try to join. */
const JOINED = ["", "/any-1,", "/any-2,"];
const OTHERS = ["/any-3,", "/slow-1,", "/slow-2,", "/never,", "/no,"];
const HALF = '51-["echo",{"_placeholder":true,"num":0}]';

/** An action of a client. */
function act(random: Random): (string | Uint8Array)[] {
  const name = random.pick(JOINED);
  const ms = random.below(90_000);
  const id = random.chance(0.5) ? "" : String(random.below(50));
  const event = (...args: unknown[]) => [`2${name}${id}${JSON.stringify(args)}`];
  const half = HALF.replace("-", `-${name}`);
  if (random.chance(0.01)) return random.pick([["nonsense"], [`1${name}`], event("kick"), event("kick all")]);
  return random.pick<() => (string | Uint8Array)[]>([
    () => [`0${random.pick(OTHERS)}${JSON.stringify({ token: "x".repeat(random.below(500)) })}`],
    () => event("echo", "x".repeat(random.below(2_000))),
    () => event(random.pick(["owe", "throw", "unheard", "ask for ever"])),
    () => event(random.pick(["later", "await", "ask", "ask all"]), ms),
    () =>
      event(
        "join",
        Array.from({ length: 1 + random.below(30) }, () => `room ${random.below(90)}`),
      ),
    () => event("leave", `room ${random.below(90)}`),
    () => event("set", `key ${random.below(9)}`, "x".repeat(random.below(3_000))),
    () => [`3${name}${random.below(40)}["answer"]`],
    () => [half, new Uint8Array(random.below(5_000))],
    () => [half],
  ])();
}

describe("the memory that clients make an object use", () => {
  it.each([1, 2, 3, 4].flatMap((seed) => [true, false].map((hibernation) => [seed, hibernation] as const)))(
    "is zero in the budget when all have gone, whatever they did (seed %i, hibernation %s)",
    async (seed, hibernation) => {
      const random = new Random(seed);
      const object = new FakeObject(setup, { hibernation, maxHeldBytes: 150_000 });
      const clients: TestClient[] = [];
      let most = 0;
      for (let step = 0; step < 600; step++) {
        const open = clients.filter(({ isOpen }) => isOpen);
        const client =
          open.length < 3
            ? await object.connect(random.pick([{}, { transport: "polling" }]))
            : random.pick(open);
        if (!clients.includes(client)) {
          clients.push(client);
          await client.send(...JOINED.map((name) => `0${name}`));
        }
        const what = random.below(30);
        if (what === 0) await client.leave();
        else if (what === 1) await vi.advanceTimersByTimeAsync(random.below(20_000));
        else await client.send(...Array.from({ length: 1 + random.below(4) }, () => act(random)).flat());
        object.clock.now = Date.now();
        most = Math.max(most, object.budget.total);
      }
      expect(most).toBeGreaterThan(20_000);
      for (const client of clients) if (client.isOpen) await client.leave();
      await vi.advanceTimersByTimeAsync(60_000);
      object.clock.now = Date.now() + 120_000;
      await vi.advanceTimersByTimeAsync(60_000);
      await object.settle();
      expect([object.budget.total, object.isAwake, vi.getTimerCount()]).toEqual([0, false, 0]);
    },
  );

  it("is given back when a packet is complete, also where header and bytes come in one body", async () => {
    const object = new FakeObject(setup, { hibernation: true });
    const client = await object.connect({ transport: "polling" });
    await client.join();
    const before = object.budget.total;
    const header = HALF.replace("echo", "unheard");
    for (let round = 0; round < 10; round++) await client.send(header, new Uint8Array(1_000));
    expect(object.budget.total).toBe(before);
  });
});
