import { io, type Socket } from "socket.io-client";
import { connected } from "./clients.ts";
import { Random } from "./random.ts";
import { within } from "./within.ts";

export interface SoakOptions {
  clients: number;
  /** The messages of all clients together in each direction. */
  messages: number;
  /** For how long they send messages in ms, however many these are. */
  durationMs?: number;
  /**
   * What happens again and again to the object, or to all connections, while messages flow. "all": each of it, at
   * random.
   */
  interruption: "none" | Interruption | "all";
  /** The shortest and longest time between two interruptions, in ms. */
  between: [number, number];
  /** Whether every second client of each transport, or all of them, send with the client's own option `retries`. */
  hasRetries: boolean | "all";
  seed: number;
  /** The longest time that the whole may take, in ms. */
  limitMs: number;
}

type Interruption = "hibernate" | "close" | "cut";

/** The methods of a server that a soak needs. */
export interface Soaked {
  readonly url: string;
  evict(webSockets: "hibernate" | "close"): Promise<void>;
  /** Cuts every connection, whatever is under way on it. */
  cut?(): void;
}

/** The errors in one direction, summed over all clients. */
export interface Damage {
  lost: number;
  duplicated: number;
  reordered: number;
}

export interface SoakReport {
  seconds: number;
  interruptions: number;
  reconnections: number;
  unrecovered: number;
  sent: number;
  received: number;
  toClient: Damage;
  toServer: Damage;
  /** The messages to the server of clients with `retries`; a repeated one is applied once. */
  toServerWithRetries: Damage;
  /** The messages that others shared. */
  shared: Damage;
}

const SHARED_EVERY = 20;

/** Compares the received numbers with 0, 1, 2, ... (or every `step`th) below `end`. */
export function damageOf(numbers: readonly number[], end: number, step = 1): Damage {
  const damage: Damage = { lost: 0, duplicated: 0, reordered: 0 };
  const seen = new Set<number>();
  let highest = -1;
  for (const number of numbers) {
    if (seen.has(number)) damage.duplicated++;
    else if (number < highest) damage.reordered++;
    seen.add(number);
    highest = Math.max(highest, number);
  }
  for (let number = 0; number < end; number += step) if (!seen.has(number)) damage.lost++;
  return damage;
}

/** One stock client that sends numbers and records what it receives. */
class Talker {
  readonly name: string;
  readonly socket: Socket;
  readonly hasRetries: boolean;
  readonly numbers: number[] = [];
  readonly answered: number[] = [];
  readonly shared = new Map<string, number[]>();
  sent = 0;
  reconnections = -1;
  unrecovered = 0;

  constructor(url: string, name: string, transport: "polling" | "websocket", hasRetries: boolean) {
    this.name = name;
    this.hasRetries = hasRetries;
    this.socket = io(url, {
      transports: [transport],
      forceNew: true,
      auth: { name },
      reconnectionDelay: 20,
      reconnectionDelayMax: 200,
      ...(hasRetries ? { retries: 20, ackTimeout: 3_000 } : {}),
    });
    this.socket.on("connect", () => {
      this.reconnections++;
      if (this.reconnections > 0 && !this.socket.recovered) this.unrecovered++;
    });
    // A stock client keeps what arrived before the answer to its CONNECT even when the connection ends right there, and
    // receives it again when it has reconnected, on Node as well. Only errors of the server are counted here.
    const early = this.socket as unknown as { receiveBuffer: unknown[] };
    this.socket.io.on("close", () => {
      early.receiveBuffer = [];
    });
    this.socket.on("s", (number: number, i: number) => {
      this.numbers.push(number);
      this.answered.push(i);
    });
    this.socket.on("b", (from: string, number: number) => {
      const numbers = this.shared.get(from) ?? [];
      numbers.push(number);
      this.shared.set(from, numbers);
    });
  }

  async talk(isOver: (sent: number) => boolean, random: Random): Promise<void> {
    await connected(this.socket, 20_000);
    while (!isOver(this.sent)) {
      if (this.hasRetries) await this.socket.emitWithAck("c", this.sent++);
      else this.socket.emit("c", this.sent++);
      await pause(random.below(30));
    }
  }

  /** How many messages the server has sent to this client, once it can tell. */
  async report(until: number): Promise<number> {
    while (Date.now() < until) {
      const answer = await this.socket
        .timeout(2_000)
        .emitWithAck("report")
        .catch(() => undefined);
      if (typeof answer === "number") return answer;
    }
    throw new Error(`${this.name} got no report`);
  }
}

/**
 * Lets stock clients and a server exchange numbered messages while its object is interrupted, and counts what is
 * missing.
 */
export async function soak(server: Soaked, options: SoakOptions): Promise<SoakReport> {
  const { clients, messages, seed, limitMs } = options;
  const random = new Random(seed);
  const from = performance.now();
  const until = Date.now() + limitMs;
  const talkers = Array.from({ length: clients }, (_, i) => {
    const transport = i % 2 === 0 ? "polling" : "websocket";
    const hasRetries = options.hasRetries === "all" || (options.hasRetries && i % 4 < 2);
    return new Talker(server.url, `${transport} ${i}`, transport, hasRetries);
  });
  let interruptions = 0;
  let isOver = false;
  const interrupt = async () => {
    if (options.interruption === "none") return;
    const [least, most] = options.between;
    while (!isOver) {
      await pause(least + random.below(most - least));
      if (isOver) return;
      const { interruption } = options;
      const kind =
        interruption === "all"
          ? random.pick(["hibernate", "hibernate", "close", "cut"] as const)
          : interruption;
      if (kind === "cut") server.cut?.();
      else await server.evict(kind);
      interruptions++;
    }
  };
  try {
    await within(Promise.all(talkers.map(({ socket }) => connected(socket, 20_000))), "all clients", limitMs);
    const interrupting = interrupt();
    const endAt = Date.now() + (options.durationMs ?? Number.POSITIVE_INFINITY);
    const hasSaidAll = (sent: number) =>
      options.durationMs === undefined ? sent >= messages / clients : Date.now() >= endAt;
    const talking = Promise.all(
      talkers.map((talker) => talker.talk(hasSaidAll, new Random(random.below(2 ** 31)))),
    );
    await within(talking, "end of the talk", limitMs).finally(() => (isOver = true));
    await interrupting;
    const totals = new Map<string, number>();
    for (const talker of talkers) totals.set(talker.name, await talker.report(until));
    await settle(talkers, totals, until);
    return summarize(talkers, totals, { interruptions, seconds: (performance.now() - from) / 1_000 });
  } finally {
    isOver = true;
    for (const { socket } of talkers) {
      socket.io.reconnection(false);
      socket.disconnect();
    }
  }
}

/**
 * Waits until all clients have what they should receive, or nothing has arrived for 3 seconds, so that the rest is
 * lost.
 */
async function settle(talkers: Talker[], totals: Map<string, number>, until: number): Promise<void> {
  const countOf = () =>
    talkers.reduce(
      (sum, { numbers, shared }) => sum + numbers.length + [...shared.values()].flat().length,
      0,
    );
  const sent = [...totals.values()];
  const due = sent.reduce(
    (sum, total) => sum + total + Math.ceil(total / SHARED_EVERY) * (talkers.length - 1),
    0,
  );
  let quietSince = Date.now();
  let last = countOf();
  while (countOf() < due && Date.now() < until && Date.now() - quietSince < 3_000) {
    await pause(50);
    const now = countOf();
    if (now !== last) quietSince = Date.now();
    last = now;
  }
}

function summarize(
  talkers: Talker[],
  totals: Map<string, number>,
  { interruptions, seconds }: Pick<SoakReport, "interruptions" | "seconds">,
): SoakReport {
  const none = (): Damage => ({ lost: 0, duplicated: 0, reordered: 0 });
  const report: SoakReport = {
    seconds: Math.round(seconds * 10) / 10,
    interruptions,
    reconnections: 0,
    unrecovered: 0,
    sent: 0,
    received: 0,
    toClient: none(),
    toServer: none(),
    toServerWithRetries: none(),
    shared: none(),
  };
  for (const talker of talkers) {
    report.reconnections += talker.reconnections;
    report.unrecovered += talker.unrecovered;
    report.sent += talker.sent;
    report.received += talker.numbers.length;
    add(report.toClient, damageOf(talker.numbers, totals.get(talker.name) ?? 0));
    const toServer = talker.hasRetries ? report.toServerWithRetries : report.toServer;
    add(toServer, damageOf(talker.answered, talker.sent));
    for (const [name, total] of totals) {
      if (name !== talker.name)
        add(report.shared, damageOf(talker.shared.get(name) ?? [], total, SHARED_EVERY));
    }
  }
  return report;
}

function add(sum: Damage, { lost, duplicated, reordered }: Damage): void {
  sum.lost += lost;
  sum.duplicated += duplicated;
  sum.reordered += reordered;
}

/** Paces the traffic; no order depends on it. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
