import type { Line, Trace } from "./cast.ts";

/** What happens before each step except the first. */
export type Interruption = "none" | "nap" | "restart";

/** Where a run differed from Node: the first client that observed something else. */
export interface Difference {
  readonly step: string;
  readonly client: string;
  readonly onNode: readonly Line[];
  readonly here: readonly Line[];
}

const HEAD = "the app does not behave as on Socket.IO for Node";
const LONGEST = 500;

const WHERE: Record<Interruption, string> = {
  none: "nothing between the steps",
  nap: "a nap between any two steps",
  restart: "a restart between any two steps",
};

/** Returns the first client that observed something else in a step. */
export function findDifference(step: string, onNode: Trace, here: Trace): Difference | undefined {
  for (const client of new Set([...Object.keys(onNode), ...Object.keys(here)])) {
    const [expected, actual] = [onNode[client] ?? [], here[client] ?? []];
    if (JSON.stringify(expected) !== JSON.stringify(actual)) {
      return { step, client, onNode: expected, here: actual };
    }
  }
  return undefined;
}

/** Why a run differed, as far as another run of the same steps can show. */
export type Cause =
  /** It differs without any interruption. */
  | { readonly type: "other-server" }
  /** It does not differ when the object sleeps and its module stays loaded. */
  | { readonly type: "module"; readonly suspects: readonly string[] }
  /** It differs with the module loaded as well. */
  | { readonly type: "memory" }
  /** A client that a restart disconnected returned with a new session. */
  | { readonly type: "not-recovered" }
  /** It differs after a restart only. */
  | { readonly type: "restart" };

const CURES: Record<Exclude<Cause["type"], "module">, string> = {
  "other-server":
    "the object was awake all the time, so this is no matter of what survives: docs/differences.md lists what " +
    "differs by design; times and random values can be replaced with the option `replace`.",
  memory:
    "awake it does. What it keeps in variables of the setup function, in closures or in timers is gone after a nap: " +
    "keep what belongs to all in `io.data`, and what belongs to a socket in `socket.data`.",
  "not-recovered":
    "a restart closes WebSockets. With the option `connectionStateRecovery`, on Node and here, clients come back " +
    "with their id, rooms and data, and get what they missed.",
  restart:
    "with naps it does. What survives a restart is `io.data`, and with `connectionStateRecovery` what belongs to a " +
    "socket that had a WebSocket.",
};

/** The message of the error: what happened where, and how to fix it. */
export function describe(
  difference: Difference,
  cause: Cause,
  interruption: Interruption,
  how: string,
): string {
  const { step, client, onNode, here } = difference;
  return [
    `socket.io-edge/testing: ${HEAD}.`,
    `  at step:  "${step}", with ${WHERE[interruption]}, ${how}`,
    `  client:   ${client}`,
    `  on Node:  ${show(onNode)}`,
    `  here:     ${show(here)}`,
    `  cure:     ${cureFor(cause)}`,
  ].join("\n");
}

function cureFor(cause: Cause): string {
  if (cause.type !== "module") return CURES[cause.type];
  const { suspects } = cause;
  const which =
    suspects.length === 0 ? "a variable of a module" : `a variable of a module: ${suspects.join(", ")}`;
  return (
    `what is lost was in ${which}. It is there only as long as the module is in memory. Keep what belongs to all in ` +
    "`io.data` (a Map may be a property of it), and what belongs to a socket in `socket.data`."
  );
}

function show(lines: readonly Line[]): string {
  if (lines.length === 0) return "nothing";
  const text = lines.map((line) => JSON.stringify(line)).join(" ");
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
}
