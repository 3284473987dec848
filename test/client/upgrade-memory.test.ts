import { afterEach, expect, it, vi } from "vitest";
import { connect, connected, POLLING, server, useScriptedServer, WEBSOCKET, welcoming } from "./faults.ts";
import { once } from "./interop-suite.ts";

useScriptedServer();

afterEach(() => {
  vi.unstubAllGlobals();
});

it("begins with WebSocket with `rememberUpgrade` when the last connection had upgraded", async () => {
  server.acceptWebSockets(welcoming);
  await connected(WEBSOCKET);
  server.handshakes = 0;
  const remembering = connect({ rememberUpgrade: true });
  await once(remembering, "connect");
  expect(remembering.io.engine?.transport.name).toBe("websocket");
  expect(server.handshakes).toBe(0);
  const forgetful = connect({});
  await once(forgetful, "connect");
  expect(server.handshakes).toBe(1);
});

it("begins with polling despite `rememberUpgrade` when the last connection had not upgraded", async () => {
  server.acceptWebSockets(welcoming);
  await connected(POLLING);
  const socket = connect({ rememberUpgrade: true });
  await once(socket, "connect");
  expect(server.handshakes).toBe(2);
});

it("closes its WebSocket without an event on `beforeunload` with `closeOnBeforeunload`", async () => {
  const page = new EventTarget();
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
  vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
  let closed = 0;
  server.acceptWebSockets((peer) => {
    welcoming(peer);
    peer.onClose = () => closed++;
  });
  const heard: string[] = [];
  const listen = async (closeOnBeforeunload: boolean) => {
    const socket = await connected({ ...WEBSOCKET, closeOnBeforeunload });
    socket.on("disconnect", (reason) => heard.push(reason));
  };
  await listen(false);
  await listen(true);
  page.dispatchEvent(new Event("beforeunload"));
  await expect.poll(() => closed).toBe(1);
  expect(heard).toEqual([]);
});
