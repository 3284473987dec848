import { describe, expect, it } from "vitest";
import { connected, server, useScriptedServer } from "./faults.ts";
import { once } from "./interop-suite.ts";
import { networkError, refusal, text, truncated } from "./scripted-server.ts";

useScriptedServer();

describe("polling that fails", () => {
  it.each([
    ["a refusal", () => refusal(400, 1, "Session ID unknown")],
    ["a broken connection", networkError],
    ["a body that breaks off", () => truncated('42["lost')],
    ["a packet of no known type", () => text('42["a"]\x1e9')],
    ["bytes that are not base64", () => text("b!!")],
  ])("ends with `transport error` after %s, and connects again", async (_name, answer) => {
    const socket = await connected();
    server.onPoll = () => {
      server.onPoll = () => undefined;
      return answer();
    };
    const disconnected = once(socket, "disconnect");
    server.push("6");
    expect((await disconnected)[0]).toBe("transport error");
    await once(socket, "connect");
    expect(server.handshakes).toBe(2);
  });

  it("delivers the packets that precede a bad one", async () => {
    const socket = await connected();
    const [event, disconnected] = [once(socket, "good"), once(socket, "disconnect")];
    server.push('42["good",1]\x1e9');
    expect(await event).toEqual([1]);
    expect((await disconnected)[0]).toBe("transport error");
  });

  it.each(["4", "47", '42"a"', '42["connect"]', '42{"a":1}', '450-["a"]', '4511-["a"]', "42[1"])(
    "ends with `parse error` after %j, and connects again",
    async (frame) => {
      const socket = await connected();
      const disconnected = once(socket, "disconnect");
      server.push(frame);
      expect((await disconnected)[0]).toBe("parse error");
      await once(socket, "connect");
    },
  );

  it.each([413, 500])("ends with `transport error` when a POST is answered %i", async (status) => {
    const socket = await connected();
    server.onPost = (body) => (body.includes("too much") ? text("", status) : undefined);
    const disconnected = once(socket, "disconnect");
    socket.emit("too much");
    expect(await disconnected).toMatchObject([
      "transport error",
      { message: "fetch write error", description: status },
    ]);
    await once(socket, "connect");
  });

  it("delivers the packets that precede a close of the server, and ends with `transport close`", async () => {
    const socket = await connected();
    const log: unknown[] = [];
    socket.on("bye", () => log.push("bye"));
    const disconnected = once(socket, "disconnect");
    server.push('42["bye"]\x1e1');
    log.push(...(await disconnected));
    expect(log).toMatchObject(["bye", "transport close", { type: "TransportError" }]);
  });

  it("gives the DISCONNECT as the reason when the connection ends together with the namespace", async () => {
    const socket = await connected();
    const disconnected = once(socket, "disconnect");
    server.push("41\x1e1");
    expect((await disconnected)[0]).toBe("io server disconnect");
    expect(socket.active).toBe(false);
  });

  it("ends with `ping timeout` when the server goes silent", async () => {
    server.handshake = { ...server.handshake, pingInterval: 40, pingTimeout: 20 };
    const socket = await connected();
    expect((await once(socket, "disconnect"))[0]).toBe("ping timeout");
    await once(socket, "connect");
  });

  it("answers pings with pongs", async () => {
    const socket = await connected();
    const ping = once(socket.io, "ping");
    server.push("2");
    await ping;
    const answer = socket.emitWithAck("echo");
    server.push("430[]");
    await answer;
    expect(server.posts.join("\x1e").split("\x1e")).toContain("3");
  });

  it("accepts an answer that arrives before its POST has ended", async () => {
    const socket = await connected();
    let finish = () => {};
    server.onPost = () => {
      server.push('430["early"]');
      return new Promise((resolve) => {
        finish = () => resolve(text("ok"));
      });
    };
    expect(await socket.emitWithAck("ask")).toBe("early");
    server.onPost = () => undefined;
    const posts = server.posts.length;
    socket.emit("next");
    finish();
    server.push('42["sync"]');
    await once(socket, "sync");
    while (server.posts.length === posts) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(server.posts.at(-1)).toBe('42["next"]');
  });

  it("never has two GETs of one session under way", async () => {
    const socket = await connected();
    for (let i = 0; i < 20; i++) {
      server.push(`42["n",${i}]`);
      await once(socket, "n");
    }
    expect(server.overlap).toBe(1);
  });
});

describe("what is sent by polling", () => {
  it("leaves in one POST when it is emitted in one turn", async () => {
    const socket = await connected();
    server.posts.length = 0;
    socket.emit("a");
    socket.emit("b", 1);
    socket.emit("c", Uint8Array.of(1, 2, 3));
    await expect.poll(() => server.posts).toHaveLength(1);
    expect(server.posts[0]).toBe('42["a"]\x1e42["b",1]\x1e451-["c",{"_placeholder":true,"num":0}]\x1ebAQID');
  });

  it("is split so that no POST is larger than `maxPayload`", async () => {
    server.handshake = { ...server.handshake, maxPayload: 200 };
    const socket = await connected();
    server.posts.length = 0;
    for (let i = 0; i < 20; i++) socket.emit("é".repeat(20), i);
    await expect.poll(() => server.posts.join("\x1e").split("\x1e").length).toBe(20);
    expect(Math.max(...server.posts.map((body) => Buffer.byteLength(body)))).toBeLessThanOrEqual(200);
    expect(server.posts.length).toBeLessThan(20);
  });

  it("is refused by the client when the server would refuse it, and the connection stays open", async () => {
    server.handshake = { ...server.handshake, maxPayload: 100 };
    const socket = await connected();
    server.posts.length = 0;
    const large = "x".repeat(100);
    await expect(socket.emitWithAck("e", large)).rejects.toThrow("over maxPayload");
    await expect(socket.timeout(1000).emitWithAck("e", new Uint8Array(80))).rejects.toThrow(
      "over maxPayload",
    );
    const error = once(socket.io, "error");
    const logged = console.error;
    const logs: unknown[] = [];
    console.error = (message) => logs.push(message);
    socket.emit("e", large, () => {});
    console.error = logged;
    expect(await error).toEqual(logs);
    socket.emit("e", "x".repeat(100 - '42["e",""]'.length));
    await expect.poll(() => server.posts).toHaveLength(1);
    expect(server.posts[0]).toHaveLength(100);
    expect(socket.connected).toBe(true);
  });

  it("rejects the promise of a volatile event that is dropped", async () => {
    const socket = await connected();
    server.posts.length = 0;
    socket.emit("e");
    await expect(socket.volatile.emitWithAck("dropped")).rejects.toThrow("dropped");
    await expect.poll(() => server.posts).toEqual(['42["e"]']);
  });

  it("ends with a DISCONNECT and a close packet when the client disconnects", async () => {
    const socket = await connected();
    server.posts.length = 0;
    socket.emit("last");
    socket.disconnect();
    await expect.poll(() => server.posts.join("\x1e")).toBe('42["last"]\x1e41\x1e1');
  });
});
