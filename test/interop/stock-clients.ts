import { describe, expect, it } from "vitest";
import { behaviours } from "../contract/behaviours.ts";
import { type WorldInterruption, worldOf } from "../contract/world.ts";
import { ask, type ClientVersion, type Mode, modes, transportOf, upgraded } from "../support/clients.ts";
import { targets } from "../support/targets.ts";

const versions: ClientVersion[] = ["3.1", "4.0", "4.5", "4.8"];

interface StockClients {
  readonly thorough: readonly ClientVersion[];
  /** Over how many objects this project's server is spread; Node's is left out then. */
  readonly shards?: number;
  /** What happens to one of them between any two steps. */
  readonly interruption?: WorldInterruption;
}

/**
 * The contract suite covers the current client. Older clients connect here, and the `thorough` ones run the whole
 * suite.
 */
export function stockClientSuite({ thorough, shards = 1, interruption = "none" }: StockClients): void {
  const state = interruption === "none" ? "" : `, one of them ${interruption}`;
  const where = shards > 1 ? ` over ${shards} objects${state}` : "";
  const servers = targets.filter((target) => shards === 1 || target === "edge");
  describe.each(servers)(`stock clients on %s${where}`, (target) => {
    describe.each(versions)("socket.io-client %s", (version) => {
      describe.each(Object.keys(modes) as Mode[])("by %s", (mode) => {
        const world = worldOf(target, version, mode, { shards, interruption });

        it("ends on the transport that was requested", async () => {
          const socket = await world.connect();
          if (mode === "default") await upgraded(socket);
          expect(transportOf(socket)).toBe(mode === "polling" ? "polling" : "websocket");
          expect(await ask(socket, "echo", "here")).toBe("here");
        });

        if (thorough.includes(version)) it.each(behaviours)("%s", (_sentence, run) => run(world));
      });
    });
  });
}
