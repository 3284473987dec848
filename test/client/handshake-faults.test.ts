import { describe, expect, it } from "vitest";
import type { TransportError } from "../../src/client/index.ts";
import { connect, connected, POLLING, server, useScriptedServer, welcoming } from "./faults.ts";
import { once } from "./interop-suite.ts";
import { networkError, refusal, silence, text } from "./scripted-server.ts";

useScriptedServer();

describe("a handshake that fails", () => {
  it.each([
    [
      "400 as an unknown session",
      refusal(400, 1, "Session ID unknown"),
      400,
      { code: 1, message: "Session ID unknown" },
    ],
    ["403 as a refusal", refusal(403, 4, "no"), 403, { code: 4, message: "no" }],
    [
      "400 as a wrong version",
      refusal(400, 5, "Unsupported protocol version"),
      400,
      { code: 5, message: "Unsupported protocol version" },
    ],
  ])("reports the status and the body of %s, and tries again", async (_name, response, status, body) => {
    server.onHandshake = () => (server.handshakes === 1 ? response : undefined);
    const socket = connect();
    const [error] = (await once(socket, "connect_error")) as [TransportError];
    expect(error).toMatchObject({ message: "fetch read error", type: "TransportError", description: status });
    expect(await (error.context as Response).json()).toEqual(body);
    expect(socket.active).toBe(true);
    await once(socket, "connect");
    expect(server.handshakes).toBe(2);
  });

  it.each([500, 502, 503])("tries again after a %i", async (status) => {
    server.onHandshake = () => (server.handshakes < 3 ? text("oops", status) : undefined);
    const socket = connect();
    const errors: unknown[] = [];
    socket.on("connect_error", (error) => errors.push((error as TransportError).description));
    await once(socket, "connect");
    expect(errors).toEqual([status, status]);
  });

  it("tries again after a network error", async () => {
    server.onHandshake = () => (server.handshakes === 1 ? networkError() : undefined);
    const socket = connect();
    const [error] = (await once(socket, "connect_error")) as [TransportError];
    expect(error.message).toBe("fetch read error");
    await once(socket, "connect");
  });

  it("gives up an attempt when the answer is too slow", async () => {
    server.onHandshake = () => (server.handshakes === 1 ? silence() : undefined);
    const socket = connect({ ...POLLING, timeout: 30 });
    const [error] = (await once(socket, "connect_error")) as [Error];
    expect(error.message).toBe("timeout");
    await once(socket, "connect");
  });

  it.each(["<!doctype html>", "", '0{"sid":', "9"])("refuses the answer %j", async (body) => {
    server.onHandshake = () => (server.handshakes === 1 ? text(body) : undefined);
    const socket = connect();
    const [error] = (await once(socket, "connect_error")) as [TransportError];
    expect(error.message).toBe("parse error");
    await once(socket, "connect");
  });

  it("falls back to WebSocket when polling fails", async () => {
    server.onHandshake = () => refusal(400, 0, "Transport unknown");
    server.acceptWebSockets(welcoming);
    const socket = await connected({});
    expect(socket.io.engine?.transport.name).toBe("websocket");
    expect(server.handshakes).toBe(1);
  });

  it.each(["polling", "websocket"] as const)(
    "sends no request when it is cancelled at once (%s)",
    async (name) => {
      const peers: unknown[] = [];
      server.acceptWebSockets((peer) => peers.push(peer));
      connect({ transports: [name] }).disconnect();
      // A request of that moment would be known by then.
      await connected();
      expect(server.handshakes).toBe(1);
      expect(peers).toEqual([]);
    },
  );

  it("sends no more polling requests after falling back, even if polling works again", async () => {
    server.onHandshake = () => (server.handshakes === 1 ? networkError() : undefined);
    const opened: string[] = [];
    server.acceptWebSockets(async (peer) => {
      // Whoever still polls has its answer by then.
      await fetch(`${server.url}/socket.io/?sid=nobody`, { method: "POST", body: "3" });
      welcoming(peer);
    });
    const socket = connect({});
    socket.io.engine?.on("open", () => opened.push(socket.io.engine?.transport.name ?? ""));
    await once(socket, "connect");
    expect(opened).toEqual(["websocket"]);
    expect(server.handshakes).toBe(1);
  });

  it("falls back to WebSocket and stops polling when something other than the server answers its polls", async () => {
    server.onHandshake = () => text("<!doctype html>");
    server.acceptWebSockets(async (peer) => {
      // Whoever still polls has its answer by then.
      await fetch(`${server.url}/socket.io/?sid=nobody`, { method: "POST", body: "3" });
      welcoming(peer);
    });
    const socket = await connected({ reconnection: false });
    expect(socket.io.engine?.transport.name).toBe("websocket");
    expect(server.handshakes).toBe(1);
  });

  it("falls back to polling when WebSocket fails", async () => {
    server.acceptWebSockets((peer) => peer.close(1011));
    const socket = await connected({ transports: ["websocket", "polling"] });
    expect(socket.io.engine?.transport.name).toBe("polling");
  });

  it("reports the first error when every transport fails", async () => {
    server.onHandshake = () => text("oops", 500);
    server.acceptWebSockets((peer) => peer.close(1011));
    const [error] = (await once(connect({ reconnection: false }), "connect_error")) as [TransportError];
    expect(error).toMatchObject({ message: "fetch read error", description: 500 });
  });

  it("tries only the first transport with `tryAllTransports: false`", async () => {
    server.onHandshake = () => text("oops", 500);
    let attempts = 0;
    server.acceptWebSockets(() => attempts++);
    await once(connect({ tryAllTransports: false, reconnection: false }), "connect_error");
    expect(attempts).toBe(0);
  });

  it("reports an error when no transport is configured", async () => {
    const [error] = (await once(connect({ transports: ["webtransport"] }), "connect_error")) as [Error];
    expect(error.message).toBe("No transports available");
  });

  it("stops after the last attempt and emits the official events", async () => {
    server.onHandshake = () => text("", 500);
    const socket = connect({ ...POLLING, reconnectionAttempts: 2 });
    const events: unknown[] = [];
    for (const event of ["error", "reconnect_attempt", "reconnect_error", "reconnect_failed"] as const)
      socket.io.on(event, (value?: unknown) =>
        events.push(typeof value === "number" ? `${event} ${value}` : event),
      );
    await once(socket.io, "reconnect_failed");
    await Promise.resolve();
    expect(events).toEqual([
      "error",
      "reconnect_attempt 1",
      "error",
      "reconnect_error",
      "reconnect_attempt 2",
      "error",
      "reconnect_failed",
      "reconnect_error",
    ]);
    expect(server.handshakes).toBe(3);
  });

  it("passes the failure to the callback of `open` and does not try again", async () => {
    server.onHandshake = () => text("", 500);
    const socket = connect({ ...POLLING, autoConnect: false });
    const error = await new Promise((resolve) => socket.io.open(resolve));
    expect(error).toMatchObject({ description: 500 });
    expect(server.handshakes).toBe(1);
  });
});

describe("a server that breaks the protocol of Socket.IO", () => {
  it("is reported when its CONNECT has no id, as that of a version 2 server", async () => {
    server.onPost = (body) => {
      if (body.startsWith("40")) server.push("40");
      return text("ok");
    };
    const [error] = (await once(connect(), "connect_error")) as [Error];
    expect(error.message).toMatch(/v2/);
  });

  it("may refuse a connection without a reason", async () => {
    server.onPost = (body) => {
      if (body.startsWith("40")) server.push("44");
      return text("ok");
    };
    const socket = connect();
    await once(socket, "connect_error");
    expect(socket.active).toBe(false);
  });
});
