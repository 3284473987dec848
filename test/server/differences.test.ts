import { describe, expect, it } from "vitest";
import type { ServerOptions } from "../../src/http/define-server.ts";
import { Adapter } from "../../src/server/index.ts";
import type { Untyped } from "../../src/shared/untyped.ts";
import { FakeObject } from "./fakes.ts";

/** Rows of docs/differences.md for which no other file has a test. */
describe("unlike Node, this server", () => {
  it("takes its path only from the option", () => {
    const { io } = new FakeObject(() => {}, { options: { path: "/chat/" } });
    expect(io.path()).toBe("/chat");
    // @ts-expect-error there is no setter
    io.path("/other");
    expect(io.path()).toBe("/chat");
  });

  it.each<[string, (io: Untyped) => unknown, string]>([
    ["io.listen", (io) => io.listen(3000), "export the app"],
    ["io.attach", (io) => io.attach({}), "export the app"],
    ["io.attachApp", (io) => io.attachApp({}), "export the app"],
    ["io.bind", (io) => io.bind({}), "export the app"],
    ["a foreign adapter", (io) => io.adapter(class {}), "must extend the Adapter of socket.io-edge"],
  ])("says what to write in place of %s", (_what, call, cure) => {
    const { io } = new FakeObject(() => {});
    expect(() => call(io)).toThrow(cure);
  });

  it("has a read-only map of sockets", async () => {
    const object = new FakeObject(() => {});
    const id = await (await object.connect()).join();
    const { sockets } = object.io.sockets;
    const socket = sockets.get(id);
    expect([sockets.size, sockets.has(id), sockets.has("nobody"), sockets.get("nobody")]).toEqual([
      1,
      true,
      false,
      undefined,
    ]);
    expect([...sockets]).toEqual([[id, socket]]);
    expect([[...sockets.keys()], [...sockets.values()], [...sockets.entries()]]).toEqual([
      [id],
      [socket],
      [[id, socket]],
    ]);
    sockets.forEach((it, key, map) => {
      expect([it, key, map]).toEqual([socket, id, sockets]);
    });
    expect("set" in sockets || "delete" in sockets || "clear" in sockets).toBe(false);
  });

  it("keeps rooms when the adapter is replaced", async () => {
    const object = new FakeObject((io) => void io.on("connection", (socket) => void socket.join("room")));
    const client = await object.connect();
    const id = await client.join();
    class Other extends Adapter {}
    object.io.adapter(Other);
    expect(object.io.sockets.adapter).toBeInstanceOf(Other);
    expect(object.io.sockets.adapter.rooms.get("room")).toEqual(new Set([id]));
  });

  it("accepts compression flags and sends the same frames", async () => {
    const options: ServerOptions = { perMessageDeflate: { threshold: 1 }, httpCompression: false };
    const object = new FakeObject(() => {}, { options });
    const client = await object.connect();
    const id = await client.join();
    client.take();
    const text = "x".repeat(2_000);
    object.io.compress(true).emit("a", text);
    object.io.to(id).compress(false).emit("a", text);
    object.io.sockets.sockets.get(id)?.compress(true).emit("a", text);
    object.io.emit("a", text);
    const frames = client.take();
    expect(frames).toEqual(Array(4).fill(`42["a","${text}"]`));
  });

  it("keeps the first request as plain data", async () => {
    const object = new FakeObject(() => {});
    const client = await object.connect();
    const socket = object.io.sockets.sockets.get(await client.join());
    expect(socket?.request).toBe(socket?.conn.request);
    expect(socket?.request).toMatchObject({
      method: "GET",
      url: "https://example.com/socket.io/?EIO=4&transport=polling&token=abc",
      _query: { EIO: "4", transport: "polling", token: "abc" },
    });
    expect(socket?.request.headers.get("origin")).toBe("https://example.com");
    const { remoteAddress } = socket!.conn;
    const origin = { remoteAddress, encrypted: true };
    expect(socket?.request).toMatchObject({ connection: origin, socket: origin });
    // The fields of the handshake have the official form.
    expect(socket?.handshake).toMatchObject({
      url: "/socket.io/?EIO=4&transport=polling&token=abc",
      headers: { origin: "https://example.com" },
    });
  });

  it("refuses a client when a middleware throws, and writes the error to the log only", async () => {
    const object = new FakeObject((io) => {
      io.of("/throws").use(() => {
        throw Object.assign(new Error("no table users"), { data: { key: "hidden" } });
      });
      io.of("/rejects").use(async () => {
        throw new Error("no table users");
      });
      io.of("/nothing").use(async () => {
        throw undefined;
      });
    });
    const client = await object.connect();
    const answer = '{"message":"Internal Server Error"}';
    expect(await client.ask("0/throws,", "0/rejects,", "0/nothing,")).toEqual([
      `44/throws,${answer}`,
      `44/rejects,${answer}`,
      `44/nothing,${answer}`,
    ]);
    const failed = 'error: a middleware of namespace "/';
    expect([client.isOpen, object.logs]).toEqual([
      true,
      [
        `${failed}throws" failed: Error: no table users`,
        `${failed}rejects" failed: Error: no table users`,
        `${failed}nothing" failed`,
      ],
    ]);
  });
});
