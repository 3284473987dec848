import { type ClientOptions, Clients } from "../clients.ts";
import { configure, type WorkerChoice } from "../configuration.ts";
import { NotIdle, type Prepared, prepare } from "../runtime.ts";
import { TestServer } from "../test-server.ts";
import { within } from "../within.ts";
import { Cast, RECONNECTED, type Replacer, type Stage, type Trace } from "./cast.ts";
import { type Cause, type Difference, describe, findDifference, type Interruption } from "./difference.ts";
import { type NodeApp, type NodeSetup, startOnNode } from "./node-server.ts";
import { findSuspects } from "./suspects.ts";

/** One step of a script. What it returns is compared as well, unless it is a client. */
export type Step = (stage: Stage) => unknown;

/** Options of `compareWithNode`, besides those that select the Worker. */
export interface CompareOptions extends WorkerChoice {
  /**
   * The app on Node: the function that gets `io`, or the path of a module whose default export is that function, or
   * either of them with the server's options. With a path, each run gets a copy of the module with its own variables.
   */
  node: NodeSetup | NodeApp | string | URL;
  /** The steps, in order. */
  steps: Readonly<Record<string, Step>>;
  /** What comes between any two steps, a run for each. @default ["none", "nap"] */
  interruptions?: readonly Interruption[];
  /** How the clients connect, a run for each. @default [["polling"], ["websocket"]] */
  transports?: readonly (readonly ("polling" | "websocket")[])[];
  /** Options of every client. */
  client?: ClientOptions;
  /** A replacer as for `JSON.stringify`, which replaces values that differ from one run to the next, such as a time. */
  replace?: Replacer;
  /** How long what Node has sent is waited for, ms. @default 5000 */
  patience?: number;
}

const PATIENCE_MS = 5_000;
/** An event that arrives later than this after everything has settled belongs to the next step, in ms. */
const QUIET_MS = 20;
const LOOK_AGAIN_MS = 5;
/**
 * The longest time in ms for which an object may be kept awake; in production such an object would not sleep either.
 */
const LONGEST_WAIT_FOR_NAP_MS = 1_000;

/** The result of each step on Node. */
type Recording = readonly { readonly name: string; readonly trace: Trace }[];

interface Run {
  readonly options: CompareOptions;
  readonly client: ClientOptions;
}

/**
 * Runs the same steps on Socket.IO for Node and on a Worker, where the object sleeps between any two steps, and
 * compares what each client saw. `socket.io` and `socket.io-client` have to be installed.
 * @throws Error that names the first step at which they differ, how, and the likely cure
 * @example
 * await compareWithNode({
 *   worker: "src/worker.ts",
 *   node: "src/app.ts",
 *   steps: {
 *     "ann and bob come": async ({ connect }) => {
 *       await connect("ann");
 *       await connect("bob");
 *     },
 *     "ann says hello": ({ client }) => client("ann").emit("message", "hello"),
 *     "bob asks who is there": ({ client }) => client("bob").emitWithAck("users"),
 *   },
 * });
 */
export async function compareWithNode(options: CompareOptions): Promise<void> {
  const { interruptions = ["none", "nap"], transports = [["polling"], ["websocket"]] } = options;
  const prepared = await prepare(configure(options));
  for (const transport of transports) {
    const run: Run = { options, client: { ...options.client, transports: [...transport] } };
    const recording = await recordOnNode(run);
    const passed = new Set<AnyInterruption>();
    for (const interruption of interruptions) {
      const difference = await findFirstDifference(prepared, run, recording, interruption);
      if (difference === undefined) {
        passed.add(interruption);
        continue;
      }
      const until = recording.findIndex(({ name }) => name === difference.step) + 1;
      const departs = async (how: AnyInterruption) =>
        !passed.has(how) &&
        (await findFirstDifference(prepared, run, recording.slice(0, until), how)) !== undefined;
      const cause = await findCause(interruption, difference, departs, prepared.app.sources);
      throw new Error(describe(difference, cause, interruption, `over ${transport.join(" and ")}`));
    }
  }
}

async function recordOnNode({ options, client }: Run): Promise<Recording> {
  const server = await startOnNode(toApp(options.node));
  const cast = new Cast(new Clients(server.url), client, options.replace ?? keep);
  const recording: { name: string; trace: Trace }[] = [];
  try {
    for (const [name, step] of Object.entries(options.steps)) {
      await take(name, step, cast, PATIENCE_MS).catch((error: Error) => {
        throw new Error(`step "${name}" fails on Node: ${error.message}`, { cause: error });
      });
      await untilQuiet(cast);
      recording.push({ name, trace: cast.takeTrace() });
    }
    return recording;
  } finally {
    cast.close();
    await server.close();
  }
}

function toApp(node: CompareOptions["node"]): NodeApp {
  return typeof node === "object" && "setup" in node ? node : { setup: node };
}

function keep(_key: string, value: unknown): unknown {
  return value;
}

/** Waits until everything that a step caused has arrived at all clients, and has no further effect. */
async function untilQuiet(cast: Cast): Promise<void> {
  let before: number;
  do {
    before = cast.count;
    await cast.settle();
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  } while (cast.count !== before);
}

async function take(name: string, step: Step, cast: Cast, patience: number): Promise<void> {
  const taken = (async () => step(cast))();
  cast.noteResult(await within(taken, `step "${name}"`, patience));
}

/** Waits for what Node's clients have observed, and checks afterwards whether more has arrived. */
async function untilAllCame(cast: Cast, trace: Trace, patience: number): Promise<void> {
  const until = Date.now() + patience;
  const isMissing = () => Object.entries(trace).some(([name, lines]) => cast.countOf(name) < lines.length);
  while (isMissing() && Date.now() < until)
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  await untilQuiet(cast);
}

/** `"sleep"` is a nap that does not reload the module, which shows whether the module's variables are what was lost. */
type AnyInterruption = Interruption | "sleep";

async function findFirstDifference(
  prepared: Prepared,
  { options, client }: Run,
  recording: Recording,
  interruption: AnyInterruption,
): Promise<Difference | undefined> {
  const { patience = PATIENCE_MS, replace = keep } = options;
  const server = await TestServer.over(prepared, { napTimeout: LONGEST_WAIT_FOR_NAP_MS });
  const cast = new Cast(server.clients, client, replace);
  let obstacle: NotIdle | undefined;
  let naps = 0;
  try {
    for (const [i, { name, trace }] of recording.entries()) {
      if (i > 0) {
        obstacle = await interrupt(server, cast, interruption);
        if (obstacle === undefined) naps++;
      }
      try {
        await take(name, options.steps[name] as Step, cast, patience);
      } catch (error) {
        return { step: name, client: "the step itself", onNode: [["done"]], here: [[String(error)]] };
      }
      await untilAllCame(cast, trace, patience);
      const difference = findDifference(name, trace, cast.takeTrace());
      if (difference !== undefined) return difference;
    }
    if (naps === 0 && obstacle !== undefined) {
      throw new Error(`the comparison proves nothing, since the object never slept. ${obstacle.message}`);
    }
    return undefined;
  } finally {
    await server.stop();
  }
}

/** Returns what kept the object from sleeping, which it would do in production as well. */
async function interrupt(
  server: TestServer,
  cast: Cast,
  interruption: AnyInterruption,
): Promise<NotIdle | undefined> {
  if (interruption === "none") return undefined;
  try {
    if (interruption === "restart") await cast.cut(() => server.restart());
    else await (interruption === "nap" ? server.nap() : server.sleep());
    return undefined;
  } catch (error) {
    if (error instanceof NotIdle) return error;
    throw error;
  }
}

/** Finds out with other interruptions what caused the difference. */
async function findCause(
  interruption: Interruption,
  { here }: Difference,
  departs: (how: AnyInterruption) => Promise<boolean>,
  sources: readonly string[],
): Promise<Cause> {
  if (interruption === "restart" && here.some(([what]) => what === RECONNECTED)) {
    return { type: "not-recovered" };
  }
  if (interruption === "none" || (await departs("none"))) return { type: "other-server" };
  if (interruption === "restart" && !(await departs("nap"))) return { type: "restart" };
  if (await departs("sleep")) return { type: "memory" };
  return { type: "module", suspects: await findSuspects(sources) };
}
