import { describe, expect, it } from "vitest";
import { said } from "../contract/behaviours.ts";
import { worldOf } from "../contract/world.ts";
import { ask, type ClientVersion, clients, connected, transportOf, upgraded } from "../support/clients.ts";
import { startGate } from "../support/gate.ts";
import { targets } from "../support/targets.ts";
import { within } from "../support/within.ts";

const versions: ClientVersion[] = ["3.1", "4.0", "4.5", "4.8"];
const COUNT = 500;

describe.each(targets)("messages across an upgrade on %s", (target) => {
  describe.each(versions)("socket.io-client %s", (version) => {
    const world = worldOf(target, version, "default");

    it.each([1, 2, 3])(`loses and reorders none of ${COUNT} each way (run %i)`, async () => {
      const gate = await startGate(world.server);
      const socket = clients[version](gate.url, { forceNew: true, reconnection: false });
      try {
        await connected(socket);
        await within(gate.knocked, "upgrade request");
        expect(transportOf(socket)).toBe("polling");
        const fromServer = said(socket, "s");
        const hasUpgraded = upgraded(socket);
        for (let sent = 0; sent < COUNT; sent++) {
          // Some are sent by polling, some while the transport changes, and the rest by WebSocket.
          if (sent === 100) gate.open();
          if (sent === 400) await hasUpgraded;
          socket.emit("c", sent);
          if (sent < 400) await new Promise(setImmediate);
        }
        expect(await ask(socket, "c report")).toEqual({ next: COUNT, wrong: 0 });
        for (let i = 0; i < COUNT; i++) expect(await fromServer.next()).toEqual([i]);
        expect(fromServer.unread).toEqual([]);
        expect(transportOf(socket)).toBe("websocket");
      } finally {
        socket.disconnect();
        await gate.close();
      }
    });
  });
});
