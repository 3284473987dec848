import { describe, expect, it } from "vitest";
import { type ConnectOptions, Socket } from "../../src/client/index.ts";
import { connect, connected, POLLING, server, useScriptedServer } from "./faults.ts";
import { once } from "./interop-suite.ts";
import { networkError } from "./scripted-server.ts";

useScriptedServer();

const RETRIES: ConnectOptions = { ...POLLING, retries: 2, ackTimeout: 20 };

/** The events that the server has received, in order, without their acknowledgement ids. */
function received(): string[] {
  const packets = server.posts.flatMap((body) => body.split("\x1e"));
  return packets.filter((packet) => packet.startsWith("42")).map((packet) => packet.replace(/^42\d*/, ""));
}

/** Acknowledges each event after it was sent `times` times. */
function acknowledgeAfter(times: number, answer = ""): void {
  const counts = new Map<string, number>();
  server.onPost = (body) => {
    for (const [, id, json = ""] of body.matchAll(/42(\d+)(\[.*\])/g)) {
      const count = (counts.get(json) ?? 0) + 1;
      counts.set(json, count);
      if (count === times) server.push(`43${id}[${answer}]`);
    }
    return undefined;
  };
}

describe("a socket with `retries`", () => {
  it("sends an event again until it is acknowledged, and only then sends the next one", async () => {
    const socket = await connected(RETRIES);
    acknowledgeAfter(2, '"done"');
    const first = new Promise((resolve) => socket.emit("first", (...args: unknown[]) => resolve(args)));
    const second = new Promise((resolve) => socket.emit("second", (...args: unknown[]) => resolve(args)));
    expect(await first).toEqual([null, "done"]);
    expect(await second).toEqual([null, "done"]);
    expect(received()).toEqual(['["first"]', '["first"]', '["second"]', '["second"]']);
  });

  it("gives up after that many retries, passes the error to the callback, and goes on with the next event", async () => {
    const socket = await connected(RETRIES);
    const error = new Promise<Error>((resolve) => socket.emit("lost", resolve));
    expect((await error).message).toBe("operation has timed out");
    expect(received()).toEqual(['["lost"]', '["lost"]', '["lost"]']);
    acknowledgeAfter(1);
    await socket.emitWithAck("next");
    expect(received().at(-1)).toBe('["next"]');
  });

  it("sends the pending event again after reconnecting", async () => {
    const socket = await connected({ ...RETRIES, ackTimeout: 60_000 });
    socket.emit("kept", 1);
    await expect.poll(received).toEqual(['["kept",1]']);
    server.onPoll = () => {
      server.onPoll = () => undefined;
      return networkError();
    };
    const disconnected = once(socket, "disconnect");
    server.push("6");
    await disconnected;
    acknowledgeAfter(1);
    await once(socket, "connect");
    await expect.poll(received).toEqual(['["kept",1]', '["kept",1]']);
  });

  it("keeps events that are emitted before it is connected, in order", async () => {
    acknowledgeAfter(1);
    const socket = connect(RETRIES);
    socket.emit("one");
    socket.emit("two");
    await expect.poll(received).toEqual(['["one"]', '["two"]']);
  });

  it("leaves volatile events out of the queue", async () => {
    const socket = await connected({ ...RETRIES, ackTimeout: 60_000 });
    socket.emit("queued");
    await expect.poll(() => socket.io.engine?.transport.writable).toBe(true);
    socket.volatile.emit("volatile");
    await expect.poll(received).toContain('["volatile"]');
    expect(socket).toBeInstanceOf(Socket);
  });
});
