import { runDurableObjectAlarm } from "cloudflare:test";
import { expect, it } from "vitest";
import { watch } from "./clock.ts";
import { type PollingClient, TestObject } from "./support.ts";

const watched = watch();

/** A POST whose body arrives in small parts. */
class Slow {
  readonly answer: Promise<Response>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(client: PollingClient) {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    this.#writer = writable.getWriter();
    // A cancelled body is not read to its end.
    this.#writer.closed.catch(() => {});
    this.answer = client.request({ method: "POST", body: readable });
  }

  /** Resolves when the other side has read the part. */
  write(text: string): Promise<void> {
    return this.#writer.write(new TextEncoder().encode(text)).catch(() => {});
  }

  async end(): Promise<Response> {
    this.#writer.close().catch(() => {});
    return this.answer;
  }
}

/** Polls as a Worker does; returns a function that hands the poll back to ping the client. */
async function poll({ object, sid }: PollingClient): Promise<() => Promise<unknown>> {
  const channel = (await object.fetch({ op: "poll", sid })).webSocket!;
  channel.accept();
  const closed = new Promise((resolve) => channel.addEventListener("close", resolve));
  return () => {
    channel.close(4001);
    return closed;
  };
}

/** Lets time pass, in which the object ticks as often as it should. */
async function pass(object: TestObject, from: number, to: number): Promise<void> {
  for (let at = from; at <= to; at += 5_000) {
    watched.clock.set(at);
    await runDurableObjectAlarm(object.stub);
  }
}

it("a POST that makes progress is accepted, however long it takes", async () => {
  const object = new TestObject("slow post");
  const client = await object.openPolling();
  const post = new Slow(client);
  await post.write("4");
  for (let at = 15_000; at <= 300_000; at += 15_000) {
    const handBack = await poll(client);
    await pass(object, at, at);
    await handBack();
    await post.write("x".repeat(1_000));
  }
  expect((await post.end()).status).toBe(200);
  expect(await client.poll()).toMatch(/x{20000}$/);
});

it("a POST without progress for pingTimeout ends, and so does its session", async () => {
  const object = new TestObject("silent post");
  const client = await object.openPolling();
  const poll = await client.park();
  let why: unknown;
  await object.run((instance) => {
    instance.engine.clients[client.sid]?.on("close", (_reason, description) => (why = description));
  });
  const post = new Slow(client);
  await post.write("4");
  await pass(object, 5_000, 15_000);
  expect(object.journal.at(-1)).toBe("connection");
  await pass(object, 20_000, 25_000);
  expect((await post.answer).status).toBe(400);
  expect(object.journal.at(-1)).toBe("close transport error");
  expect(why).toMatchObject({ message: "data request timed out", type: "TransportError" });
  expect(await poll.payload).toBe("1");
});

it("a POST that trickles ends with its session, which expires because its client does not poll", async () => {
  const object = new TestObject("trickle");
  const client = await object.openPolling();
  const post = new Slow(client);
  for (let at = 0; at < 45_000; at += 5_000) {
    await pass(object, at, at);
    await post.write("x");
  }
  expect(object.journal.at(-1)).toBe("connection");
  await pass(object, 45_000, 45_000);
  expect((await post.answer).status).toBe(400);
  expect(object.journal.at(-1)).toBe("close ping timeout");
  expect(await object.sessionRows()).toEqual([]);
});

it.each([10, undefined])("a POST of length %s ends with a session that the server ends", async (length) => {
  const object = new TestObject(`ended post ${length}`);
  const client = await object.openPolling();
  const { readable, writable } = length === undefined ? new TransformStream() : new FixedLengthStream(length);
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  const answer = client.request({ method: "POST", body: readable });
  await writer.write(new TextEncoder().encode("4x"));
  await object.run((instance) => void instance.engine.clients[client.sid]?.close(true));
  expect((await answer).status).toBe(400);
  expect(object.journal.at(-1)).toBe("close forced close");
  await object.sleep();
});

it("the memory for a POST is little more than what has arrived, and is counted", async () => {
  const object = new TestObject("counted post");
  const client = await object.openPolling();
  const post = new Slow(client);
  for (let i = 0; i < 40; i++) await post.write("x".repeat(10_000));
  const held = () => object.run((instance) => instance.engine.clients[client.sid]?.account.bytes ?? 0);
  const during = await held();
  expect(during).toBeGreaterThan(390_000);
  expect(during).toBeLessThan(850_000);
  expect((await post.end()).status).toBe(400);
});
