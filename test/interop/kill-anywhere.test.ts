import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { startEdge } from "../support/edge.ts";
import { startOfficial } from "../support/official.ts";
import { targets } from "../support/targets.ts";
import { Cast, type CastMode, type Trace } from "./cast.ts";
import { conversation } from "./conversation.ts";

const LIMIT = 400_000;
const fixture = new URL("../fixtures/conversation.jsonl", import.meta.url);

/** What happens between two steps. */
type Interruption = "none" | "hibernate" | "close";

/** Has the conversation, with the object interrupted between every two steps: whatever a step sets off has settled by then. */
async function converse(
  target: "official" | "edge",
  mode: CastMode,
  interruption: Interruption,
): Promise<Trace> {
  const hasRecovery = mode === "websocket";
  const variant = hasRecovery ? "recovery" : "default";
  const server =
    target === "official"
      ? await startOfficial("conversation", variant)
      : await startEdge("conversation", variant, interruption === "close");
  const cast = await Cast.assemble(server, mode, hasRecovery);
  let instance = "";
  let step = "the beginning";
  try {
    for (const { name, run } of conversation(cast)) {
      step = name;
      await run(cast);
      const now = await cast.settle();
      if (interruption !== "none" && now !== "") expect(now, `instance at ${name}`).not.toBe(instance);
      instance = now;
      if (interruption === "hibernate") await server.evict("hibernate");
      if (interruption === "close") await cast.reunite(() => server.evict("close"));
    }
    return cast.trace;
  } catch (error) {
    throw new Error(
      `${mode}, ${interruption}, at "${step}": ${error}\n${server.complaints.slice(-5).join("\n")}`,
    );
  } finally {
    await cast.dismiss();
    await server.close();
  }
}

/** Where each client's trace first departs from what was recorded, with what came just before. */
function departures(trace: Trace, original: Trace | undefined): string[] {
  const found: string[] = [];
  for (const who of new Set([...Object.keys(trace), ...Object.keys(original ?? {})])) {
    const [is, should] = [trace[who] ?? [], original?.[who] ?? []].map((lines) =>
      lines.map((line) => JSON.stringify(line)),
    );
    const at = Array.from({ length: Math.max(is!.length, should!.length) }).findIndex(
      (_, i) => is![i] !== should![i],
    );
    if (at === -1) continue;
    const before = is!.slice(Math.max(0, at - 3), at).join(" ");
    found.push(
      `${who} line ${at}: ${is!.slice(at, at + 3).join(" ")} instead of ${should!.slice(at, at + 3).join(" ")} after ${before}`,
    );
  }
  return found;
}

type Recorded = Partial<Record<CastMode, Trace>>;
const recorded = read();

/** The fixture has one line for each thing seen: ["mixed", "ann", "event", "welcome", ...]. */
function read(): Recorded {
  const traces: Recorded = {};
  for (const text of readFileSync(fixture, "utf8").split("\n")) {
    if (!text) continue;
    const [mode, who, ...line] = JSON.parse(text) as [CastMode, string, ...unknown[]];
    const trace = traces[mode] ?? {};
    trace[who] = [...(trace[who] ?? []), line];
    traces[mode] = trace;
  }
  return traces;
}

function write(traces: Recorded): void {
  const lines = Object.entries(traces).flatMap(([mode, trace]) =>
    Object.entries(trace).flatMap(([who, seen]) => seen.map((line) => JSON.stringify([mode, who, ...line]))),
  );
  writeFileSync(fixture, `${lines.join("\n")}\n`);
}

describe("a conversation with Socket.IO on Node", () => {
  it("is long enough to judge by", () => {
    for (const mode of ["mixed", "polling", "websocket"] as const) {
      expect(conversation({ mode }).length).toBeGreaterThanOrEqual(150);
    }
  });

  it.runIf(targets.includes("official")).each(["mixed", "polling", "websocket"] as const)(
    "leaves the same trace as it was recorded (%s)",
    async (mode) => {
      const trace = await converse("official", mode, "none");
      if (process.env.RECORD) {
        recorded[mode] = trace;
        write(recorded);
      }
      expect(departures(trace, recorded[mode])).toEqual([]);
    },
    LIMIT,
  );
});

describe.runIf(targets.includes("edge"))("the same conversation with this project", () => {
  it.each(["mixed", "polling", "websocket"] as const)(
    "leaves the same trace while the object stays awake (%s)",
    async (mode) => expect(departures(await converse("edge", mode, "none"), recorded[mode])).toEqual([]),
    LIMIT,
  );

  it.each(["mixed", "polling", "websocket"] as const)(
    "leaves the same trace with the object hibernated between every two steps (%s)",
    async (mode) => expect(departures(await converse("edge", mode, "hibernate"), recorded[mode])).toEqual([]),
    LIMIT,
  );

  it(
    "leaves the same trace with the object restarted between every two steps, for clients that poll",
    async () => expect(departures(await converse("edge", "polling", "close"), recorded.polling)).toEqual([]),
    LIMIT,
  );

  it(
    "loses, repeats and reorders nothing with the object restarted between every two steps, for WebSockets with recovery",
    async () =>
      expect(departures(await converse("edge", "websocket", "close"), recorded.websocket)).toEqual([]),
    LIMIT,
  );
});
