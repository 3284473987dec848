import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { Running } from "../support/app.ts";
import { Monitor } from "../support/monitor.ts";
import { joinByWebSocket, pathOf, RawSession } from "../support/raw-session.ts";
import { RawSocket, refusal } from "../support/raw-socket.ts";
import { start, targets } from "../support/targets.ts";
import { within } from "../support/within.ts";

describe.each(targets)("WebSocket on %s", (target) => {
  let server: Running;
  let monitor: Monitor;
  beforeAll(async () => {
    server = await start(target, "basic");
    monitor = await Monitor.connect(server);
  });
  afterAll(async () => {
    monitor?.close();
    await server?.close();
  });

  it("sends the handshake as its first frame and offers no upgrade", async () => {
    const socket = await RawSocket.open(server, pathOf({ EIO: "4", transport: "websocket" }));
    expect(await socket.next()).toMatch(
      /^0\{"sid":"[\w-]+","upgrades":\[\],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000\}$/,
    );
    socket.cut();
  });

  it("accepts the first subprotocol that a client offers, without which browsers close the connection", async () => {
    const session = await RawSession.join(server);
    session.stayAwake();
    for (const sid of ["", session.sid]) {
      const path = pathOf({ EIO: "4", transport: "websocket", sid });
      const raw = new RawSocket(new WebSocket(`ws://${server.host}:${server.port}${path}`, ["chat", "talk"]));
      await within(
        new Promise((resolve, reject) => raw.socket.on("open", resolve).on("error", reject)),
        "open",
      );
      expect(raw.socket.protocol).toBe("chat");
      raw.cut();
    }
    const { socket } = await joinByWebSocket(server);
    expect(socket.headers).not.toHaveProperty("sec-websocket-protocol");
    socket.cut();
  });

  it("echoes text in order, one packet per frame", async () => {
    const { socket } = await joinByWebSocket(server);
    socket.send('42["echo","a"]', '42["echo","b"]', '427["echo","c"]', '42["echo","文字 🎈"]');
    expect(await socket.next()).toBe('42["echo","a"]');
    expect(await socket.next()).toBe('42["echo","b"]');
    expect(await socket.next()).toBe('437["c"]');
    expect(await socket.next()).toBe('42["echo","文字 🎈"]');
    socket.cut();
  });

  it("sends and accepts binary as raw frames", async () => {
    const { socket } = await joinByWebSocket(server);
    socket.send('451-["echo",{"_placeholder":true,"num":0}]', new Uint8Array([1, 2, 3]));
    expect(await socket.next()).toBe('451-["echo",{"_placeholder":true,"num":0}]');
    expect(await socket.next()).toEqual(Buffer.from([1, 2, 3]));
    socket.cut();
  });

  it("accepts binary as b and base64 in a text frame", async () => {
    const { socket } = await joinByWebSocket(server);
    socket.send('451-["echo",{"_placeholder":true,"num":0}]', "bAQID");
    expect(await socket.nextText("45")).toBe('451-["echo",{"_placeholder":true,"num":0}]');
    expect(await socket.next()).toEqual(Buffer.from([1, 2, 3]));
    socket.cut();
  });

  it("sends binary as b and base64 to a client that asked for b64", async () => {
    const { socket } = await joinByWebSocket(server, { b64: "1" });
    socket.send('42["binary"]');
    expect(await socket.nextText("45")).toMatch(/^452-\["binary"/);
    expect(await socket.next()).toBe("bAQID");
    expect(await socket.next()).toBe("bBA==");
    socket.cut();
  });

  it("answers a close without a code by a close without a code", async () => {
    const { socket, open } = await joinByWebSocket(server);
    socket.close();
    expect(await socket.end()).toEqual({ code: 1005, reason: "" });
    expect(await monitor.next("close", open.sid)).toMatchObject({ reason: "transport close" });
  });

  it.each([
    [1000, "bye"],
    [4001, "mine"],
    [1001, ""],
  ])("answers a close with %i and ends the session with transport close", async (code, reason) => {
    const { socket, open } = await joinByWebSocket(server);
    socket.close(code, reason);
    expect((await socket.end()).code).toBe(code);
    expect(await monitor.next("close", open.sid)).toMatchObject({ reason: "transport close" });
  });

  it("ends the session when the connection is cut", async () => {
    const { socket, open, id } = await joinByWebSocket(server);
    socket.cut();
    const { reason } = await monitor.next("disconnect", id);
    expect(["transport close", "transport error"]).toContain(reason);
    expect((await monitor.next("close", open.sid)).reason).toBe(reason);
  });

  it("closes without a code when the application closes, after it has sent what is queued", async () => {
    const { socket, open, id } = await joinByWebSocket(server);
    await monitor.ask("disconnect socket", id, true);
    expect(await socket.next()).toBe("41");
    expect((await socket.end()).code).toBe(1005);
    expect(await monitor.next("disconnect", id)).toMatchObject({ reason: "server namespace disconnect" });
    expect(await monitor.next("close", open.sid)).toMatchObject({ reason: "forced close" });
  });

  it.each(["0", "5", "6", "3", "5late"])("ignores the frame %j", async (frame) => {
    const { socket } = await joinByWebSocket(server);
    socket.send(frame, '421["echo","still here"]');
    expect(await socket.nextText("43")).toBe('431["still here"]');
    socket.cut();
  });

  it("closes at once on a close packet", async () => {
    const { socket, open } = await joinByWebSocket(server);
    socket.send("1");
    if (target === "official") {
      // The official server ignores it, and would notice at the next ping that the client is gone.
      socket.send('421["echo","still here"]');
      expect(await socket.nextText("43")).toBe('431["still here"]');
      socket.cut();
    } else {
      // A client that sends a close packet has left.
      expect((await socket.end()).code).toBe(1005);
      expect(await monitor.next("close", open.sid)).toMatchObject({ reason: "transport close" });
    }
  });

  it.each(["", "abc", "7", "x42", "9[]"])(
    "closes the session with a parse error after the frame %j",
    async (frame) => {
      const { socket, open } = await joinByWebSocket(server);
      socket.send(frame);
      expect((await socket.end()).code).toBe(1005);
      expect(await monitor.next("close", open.sid)).toMatchObject({ reason: "parse error" });
    },
  );

  it("closes the session when the client pings", async () => {
    const { socket, open } = await joinByWebSocket(server);
    socket.send("2");
    expect((await socket.end()).code).toBe(1005);
    expect(await monitor.next("close", open.sid)).toMatchObject({ reason: "transport error" });
  });

  it("closes with 1009 on a frame larger than maxHttpBufferSize, and accepts one of exactly that size", async () => {
    const { socket, open } = await joinByWebSocket(server);
    socket.send(`42["echo","${"x".repeat(1_000_000 - 13)}"]`);
    expect((await socket.nextText("42")).length).toBe(1_000_000);
    socket.send(`42["echo","${"x".repeat(1_000_000 - 12)}"]`);
    expect((await socket.end()).code).toBe(1009);
    expect(await monitor.next("close", open.sid)).toMatchObject({ reason: "transport error" });
  });

  it("closes with 1009 on a binary frame that is too large", async () => {
    const { socket } = await joinByWebSocket(server);
    socket.send('451-["echo",{"_placeholder":true,"num":0}]', new Uint8Array(1_000_001));
    expect((await socket.end()).code).toBe(1009);
  });

  it("ends the session whose frames are broken, and no other", async () => {
    const { socket, open } = await joinByWebSocket(server);
    const raw = (socket.socket as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket;
    raw.write(new Uint8Array(16).fill(0xff));
    expect(await monitor.next("close", open.sid)).toMatchObject({ reason: "transport error" });
    const { socket: other } = await joinByWebSocket(server);
    other.send('421["echo","here"]');
    expect(await other.nextText("43")).toBe('431["here"]');
    other.cut();
    socket.cut();
  });

  it("refuses a second WebSocket for a session that has one", async () => {
    const { socket, open } = await joinByWebSocket(server);
    const path = pathOf({ EIO: "4", transport: "websocket", sid: open.sid });
    const second = await RawSocket.open(server, path);
    second.send("x"); // the official server treats it as a candidate until it sends something other than a probe
    expect((await second.end()).code).toBe(1005);
    socket.send('421["echo","still here"]');
    expect(await socket.nextText("43")).toBe('431["still here"]');
    socket.cut();
  });

  it("refuses the sid of a closed session", async () => {
    const { socket, open } = await joinByWebSocket(server);
    socket.close();
    await socket.end();
    await monitor.next("close", open.sid);
    const { status, body } = await refusal(
      server,
      pathOf({ EIO: "4", transport: "websocket", sid: open.sid }),
    );
    expect(status).toBe(400);
    expect(body).toContain("Session ID unknown");
  });

  it("echoes a burst of 500 packets completely and in order", async () => {
    const { socket } = await joinByWebSocket(server);
    socket.send('42["burst",500]');
    for (let i = 0; i < 500; i++) expect(await socket.next()).toBe(`42["n",${i}]`);
    socket.cut();
  });
});
