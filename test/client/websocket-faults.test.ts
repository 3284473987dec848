import { beforeEach, describe, expect, it } from "vitest";
import type { Socket, TransportError } from "../../src/client/index.ts";
import { connect, connected, server, useScriptedServer, WEBSOCKET, welcoming } from "./faults.ts";
import { once } from "./interop-suite.ts";
import type { Peer } from "./scripted-server.ts";

useScriptedServer();

describe("an upgrade that fails", () => {
  beforeEach(() => {
    server.handshake = { ...server.handshake, upgrades: ["websocket"] };
  });

  async function withFailedUpgrade(): Promise<Socket> {
    const socket = connect({});
    await Promise.all([once(socket.io.engine, "upgradeError"), once(socket, "connect")]);
    return socket;
  }

  async function staysOnPolling(socket: Socket): Promise<void> {
    const answer = socket.emitWithAck("still there?");
    server.push('430["yes"]');
    expect(await answer).toBe("yes");
    expect(socket.io.engine?.transport.name).toBe("polling");
    expect(server.overlap).toBe(1);
    expect(server.handshakes).toBe(1);
  }

  it("stays on polling when the WebSocket closes instead of answering", async () => {
    server.acceptWebSockets((peer) => {
      peer.onMessage = () => peer.close(1011);
    });
    await staysOnPolling(await withFailedUpgrade());
  });

  it("stays on polling when the probe gets a wrong answer", async () => {
    server.acceptWebSockets((peer) => {
      peer.onMessage = () => peer.send("3wrong");
    });
    await staysOnPolling(await withFailedUpgrade());
  });

  it("continues polling when the WebSocket breaks while the upgrade waits for the last poll", async () => {
    server.acceptWebSockets((peer) => {
      peer.onMessage = () => {
        peer.send("3probe");
        peer.close(1011);
      };
    });
    await staysOnPolling(await withFailedUpgrade());
  });

  it("stays on polling while the WebSocket never opens", async () => {
    const socket = await connected({});
    await staysOnPolling(socket);
  });

  it("moves to WebSocket without losing or reordering a packet", async () => {
    const received: string[] = [];
    let welcome = () => {};
    const welcomed = new Promise<void>((resolve) => {
      welcome = resolve;
    });
    server.acceptWebSockets((peer) => {
      peer.onMessage = async (data) => {
        if (data === "2probe") {
          await welcomed;
          peer.send("3probe");
          server.push("6");
        } else if (data === "5") peer.send('42["first on websocket"]');
        else received.push(data);
      };
    });
    const socket = connect({});
    const first = once(socket, "first on websocket");
    for (let i = 0; i < 5; i++) socket.emit("n", i);
    await once(socket, "connect");
    socket.emit("n", 5);
    welcome();
    await first;
    socket.emit("n", 6);
    await expect.poll(() => received.at(-1)).toBe('42["n",6]');
    const all = [...server.posts.join("\x1e").split("\x1e"), ...received].filter((frame) =>
      frame.startsWith("42"),
    );
    expect(all).toEqual(Array.from({ length: 7 }, (_, i) => `42["n",${i}]`));
  });
});

describe("a WebSocket that fails", () => {
  it("ends with `transport close` when it closes after the handshake, and connects again", async () => {
    const peers: Peer[] = [];
    server.acceptWebSockets((peer) => {
      peers.push(peer);
      welcoming(peer);
    });
    const socket = await connected(WEBSOCKET);
    const disconnected = once(socket, "disconnect");
    peers[0]?.close(1011);
    expect(await disconnected).toMatchObject([
      "transport close",
      { description: "websocket connection closed", context: { code: 1011 } },
    ]);
    await once(socket, "connect");
    expect(peers).toHaveLength(2);
  });

  it("ends with `transport error` after a frame of unknown type", async () => {
    let peer: Peer | undefined;
    server.acceptWebSockets((each) => {
      peer = each;
      welcoming(each);
    });
    const socket = await connected({ ...WEBSOCKET, reconnection: false });
    const disconnected = once(socket, "disconnect");
    peer?.send("x");
    expect((await disconnected)[0]).toBe("transport error");
  });

  it("gives up when it does not open in time, and tries the next transport or another attempt", async () => {
    const socket = connect({ ...WEBSOCKET, timeout: 30 });
    const [error] = (await once(socket, "connect_error")) as [Error];
    expect(error.message).toBe("timeout");
    server.acceptWebSockets(welcoming);
    await once(socket, "connect");
  });

  it("discards the half of a message that arrived before it closed", async () => {
    const peers: Peer[] = [];
    server.acceptWebSockets((peer) => {
      peers.push(peer);
      welcoming(peer);
    });
    const socket = await connected(WEBSOCKET);
    const disconnected = once(socket, "disconnect");
    peers[0]?.send('451-["half",{"_placeholder":true,"num":0}]');
    peers[0]?.close(1011);
    expect((await disconnected)[0]).toBe("transport close");
    await once(socket, "connect");
    const [half, whole] = [once(socket, "half"), once(socket, "whole")];
    peers[1]?.send('42["whole",1]');
    expect(await Promise.race([half, whole])).toEqual([1]);
  });

  it("reports the platform's close event when it closes before the handshake", async () => {
    server.acceptWebSockets((peer) => peer.close(1011));
    const [error] = (await once(connect({ ...WEBSOCKET, reconnection: false }), "connect_error")) as [
      TransportError,
    ];
    expect(error.type).toBe("TransportError");
  });
});
