import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { startServer } from "../../src/testing/index.ts";
import type { Running } from "../support/app.ts";
import { startOfficial } from "../support/official.ts";
import { Cast, type CastMode, hasRecovery, type Trace } from "./cast.ts";
import { conversation } from "./conversation.ts";

/** How long one conversation may take, in ms. */
export const LIMIT = 400_000;
const fixture = new URL("../fixtures/conversation.jsonl", import.meta.url);

/** What happens between two steps. */
type Interruption = "none" | "hibernate" | "close";

/** Starts the application of the conversation for clients of a mode. */
async function startFor(
  target: "official" | "edge",
  mode: CastMode,
  interruption: Interruption,
): Promise<Running> {
  const variant = variantFor(mode);
  if (target === "official") return startOfficial("conversation", variant);
  return startWithKit(variant, interruption === "close");
}

export function variantFor(mode: CastMode): string {
  return hasRecovery(mode) ? "recovery" : "default";
}

/**
 * Runs the conversation, and interrupts the object between every two steps, when all effects of the step before have
 * settled.
 */
export async function converse(
  target: "official" | "edge",
  mode: CastMode,
  interruption: Interruption,
): Promise<Trace> {
  const server = await startFor(target, mode, interruption);
  let before = "";
  return perform(server, mode, `${mode}, ${interruption}`, async (cast, instances, step) => {
    const [now = ""] = instances.values();
    if (interruption !== "none" && now !== "") expect(now, `instance at ${step}`).not.toBe(before);
    before = now;
    if (interruption === "hibernate") await server.evict("hibernate");
    if (interruption === "close") await cast.reunite(() => server.evict("close"));
  });
}

/**
 * Runs the conversation, and calls `between` after each step, when its effects have settled, with the instance that
 * serves each client. Closes the server at the end.
 */
export async function perform(
  server: Running,
  mode: CastMode,
  what: string,
  between: (cast: Cast, instances: Map<string, string>, step: string) => Promise<void>,
): Promise<Trace> {
  const cast = await Cast.assemble(server, mode);
  let step = "the beginning";
  try {
    for (const { name, run } of conversation(cast)) {
      step = name;
      await run(cast);
      await between(cast, await cast.settle(), name);
    }
    return cast.trace;
  } catch (error) {
    throw new Error(`${what}, at "${step}": ${error}\n${server.complaints.slice(-5).join("\n")}`);
  } finally {
    await cast.dismiss();
    await server.close();
  }
}

/**
 * This project in its own test kit, where a nap renews the module as well, so that variables of the module are lost.
 */
async function startWithKit(variant: string, isHasty: boolean): Promise<Running> {
  const server = await startServer({
    worker: new URL("conversation-worker.ts", import.meta.url),
    vars: { VARIANT: variant, ...(isHasty && { IS_HASTY: "yes" }) },
  });
  const { hostname: host, port } = new URL(server.url);
  return {
    target: "edge",
    url: server.url,
    host,
    port: Number(port),
    get complaints() {
      const loud = server.logs.filter(({ level }) => level === "warn" || level === "error");
      return loud.map(({ level, message }) => `${level}: ${message}`);
    },
    evict: (webSockets) => (webSockets === "hibernate" ? server.nap() : server.restart()),
    close: () => server.stop(),
  };
}

/** The point at which each client's trace first differs from the recorded one, with the entries before it. */
export function departures(trace: Trace, original: Trace | undefined): string[] {
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
export const recorded = read();

/** The fixture has one line for each observation: ["mixed", "ann", "event", "welcome", ...]. */
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

export function write(traces: Recorded): void {
  const lines = Object.entries(traces).flatMap(([mode, trace]) =>
    Object.entries(trace).flatMap(([who, seen]) => seen.map((line) => JSON.stringify([mode, who, ...line]))),
  );
  writeFileSync(fixture, `${lines.join("\n")}\n`);
}
