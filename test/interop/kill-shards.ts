import { expect } from "vitest";
import type { Running } from "../support/app.ts";
import { startEdge } from "../support/edge.ts";
import { Random } from "../support/random.ts";
import type { Cast, CastMode, Trace } from "./cast.ts";
import { perform, variantFor } from "./kill-anywhere.ts";

const SHARDS = 3;

/** What happens to one of the objects between two steps. */
export type ShardInterruption = "none" | "asleep" | "restarted" | "cut off";

/**
 * Runs the conversation with each client on another one of three objects, and interrupts one of them between every two
 * steps, at random.
 */
export async function converseOverShards(mode: CastMode, interruption: ShardInterruption): Promise<Trace> {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
  const random = new Random(seed);
  const server = await startEdge("conversation", variantFor(mode), SHARDS);
  let last = new Map<string, string>();
  let interrupted: number | undefined;
  let broken = 0;
  const trace = await perform(
    server,
    mode,
    `${mode}, ${interruption}, SEED=${seed}`,
    async (cast, now, step) => {
      for (const [who, instance] of now) {
        const isSame = instance === last.get(who);
        const isNew = interrupted !== undefined && interruption !== "cut off" && cast.isOn(interrupted, who);
        if (last.has(who)) expect([who, isSame], `instance at ${step}`).toEqual([who, !isNew]);
      }
      last = now;
      interrupted = random.below(SHARDS);
      if (interruption === "asleep") await server.evict("hibernate", interrupted);
      else if (interruption === "restarted") interrupted = await restart(server, cast, interrupted);
      else if (interruption === "cut off") ({ broken } = await server.cutOff!(interrupted));
      else interrupted = undefined;
    },
  );
  if (interruption === "cut off") expect(broken).toBeGreaterThan(100);
  return inAnyOrder(trace);
}

/** Without recovery only clients that poll notice nothing, so an object with WebSockets is left alone then. */
async function restart(server: Running, cast: Cast, shard: number): Promise<number | undefined> {
  if (cast.mode === "mixed" && cast.hasWebSockets(shard)) return undefined;
  await cast.reunite(() => server.evict("close", shard), shard);
  return shard;
}

/** `fetchSockets` returns the sockets of the own object first, as it does in a cluster on Node. */
export function inAnyOrder(trace: Trace): Trace {
  const sorted = Object.entries(trace).map(([who, lines]) => [
    who,
    lines.map((line) =>
      line[1] === "who" ? [...line.slice(0, 2), [...(line[2] as string[])].sort()] : line,
    ),
  ]);
  return Object.fromEntries(sorted);
}
