import { expect, it } from "vitest";
import { connect, connected, POLLING, server, useScriptedServer } from "./faults.ts";
import { once } from "./interop-suite.ts";
import { networkError, silence, text } from "./scripted-server.ts";

useScriptedServer();

it("connects exactly once when a `disconnect` listener calls connect() after the server's DISCONNECT", async () => {
  const socket = await connected();
  let goodbyes = 0;
  socket.on("disconnect", (reason) => {
    if (reason !== "io server disconnect") return;
    if (++goodbyes > 1) throw new Error("said twice");
    socket.connect();
  });
  server.push("41");
  await once(socket, "connect");
  expect(goodbyes).toBe(1);
  expect(server.handshakes).toBe(2);
});

it("connects exactly once when a `connect_error` listener calls connect() after a refusal", async () => {
  let refusals = 0;
  server.onPost = (body) => {
    if (!body.startsWith("40") || refusals > 0) return undefined;
    server.push('44{"message":"no"}');
    return text("ok");
  };
  const socket = connect();
  socket.on("connect_error", () => {
    if (++refusals > 1) throw new Error("said twice");
    socket.connect();
  });
  await once(socket, "connect");
  expect(refusals).toBe(1);
});

it("sends one CONNECT for a namespace that the `auth` function of another one opens", async () => {
  const socket = connect({
    auth: (send) => {
      socket.io.socket("/other");
      send({});
    },
  });
  await once(socket, "connect");
  const frames = server.posts.join("\x1e").split("\x1e");
  expect(frames.filter((frame) => frame.startsWith("40/other"))).toHaveLength(1);
});

it("counts attempts from 1 again after reconnecting was cancelled by disconnect()", async () => {
  server.onHandshake = networkError;
  const socket = connect({ ...POLLING, reconnectionAttempts: 2 });
  socket.io.once("reconnect_attempt", () => {
    server.onHandshake = silence;
  });
  await once(socket.io, "reconnect_attempt");
  socket.disconnect();
  const attempts: number[] = [];
  socket.io.on("reconnect_attempt", (attempt) => attempts.push(attempt));
  server.onHandshake = networkError;
  socket.connect();
  await once(socket.io, "reconnect_failed");
  expect(attempts).toEqual([1, 2]);
});

it("emits `connect_error` with the reason when the connection is closed before it is open", async () => {
  server.onHandshake = () => (server.handshakes === 1 ? silence() : undefined);
  const socket = connect();
  const failed = once(socket, "connect_error");
  await expect.poll(() => server.handshakes).toBe(1);
  socket.io.engine?.close();
  expect(await failed).toEqual([new Error("forced close")]);
  await once(socket, "connect");
});

it.each(["1", "47"])(
  "lets an error that a `disconnect` listener throws at %j reach the page",
  async (frame) => {
    const socket = await connected();
    socket.on("disconnect", () => {
      throw new Error("thrown by a listener");
    });
    const heard = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const thrown = new Promise((resolve) => process.once("uncaughtException", resolve));
    server.push(frame);
    expect(await thrown).toEqual(new Error("thrown by a listener"));
    for (const listener of heard) process.on("uncaughtException", listener);
  },
);

it("drops volatile events while it is not connected", async () => {
  const socket = connect();
  socket.volatile.emit("early");
  await expect(socket.volatile.emitWithAck("early")).rejects.toThrow("dropped");
  socket.emit("kept");
  await once(socket, "connect");
  await expect.poll(() => server.posts.join("\x1e")).toContain("kept");
  expect(server.posts.join()).not.toContain("early");
});

it("makes no further attempt when disconnect() is called during the reconnection delay", async () => {
  server.onHandshake = networkError;
  const socket = connect({ ...POLLING, reconnectionDelay: 30 });
  await once(socket, "connect_error");
  socket.disconnect();
  const attempts: unknown[] = [];
  socket.io.on("reconnect_attempt", (attempt) => attempts.push(attempt));
  const before = server.handshakes;
  // Another client waits for longer than the first one would have.
  const other = connect({ ...POLLING, reconnectionDelay: 60 });
  await once(other.io, "reconnect_attempt");
  expect(attempts).toEqual([]);
  expect(socket.active).toBe(false);
  // There is its own first handshake, and the one of its first attempt.
  expect(server.handshakes - before).toBeLessThanOrEqual(2);
});

it("does not send an event after connecting if it timed out while offline", async () => {
  server.onHandshake = networkError;
  const socket = connect({ ...POLLING, reconnectionDelay: 60_000, reconnectionDelayMax: 60_000 });
  await expect(socket.timeout(5).emitWithAck("late")).rejects.toThrow("operation has timed out");
  socket.emit("kept");
  server.onHandshake = () => undefined;
  socket.disconnect().connect();
  await once(socket, "connect");
  await expect.poll(() => server.posts.join("\x1e")).toContain('42["kept"]');
  expect(server.posts.join("\x1e")).not.toContain("late");
});
