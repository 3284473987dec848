import { PRICES } from "../index.ts";

/** What the object has done since it was first used, and what that costs. */
export interface Facts {
  /** How often it has woken up to run this code. Heartbeats wake it without running this code. */
  wakes: number;
  /** The cost at list prices, beyond what the plan includes. It is an estimate. */
  dollars: number;
}

interface Counts {
  wakes: number;
  requests: number;
  rows: number;
  events: number;
  /** When something was counted last. */
  at: number;
}

const DOLLARS_PER_REQUEST = PRICES.millionRequests / 1e6;
const DOLLARS_PER_ROW = PRICES.millionRowsWritten / 1e6;
const DOLLARS_PER_EVENT = ((PRICES.eventMs / 1_000) * PRICES.gigabytes * PRICES.millionGbSeconds) / 1e6;
/** What a message to a WebSocket is billed as, in requests. */
const MESSAGE = 1 / PRICES.messagesPerRequest;
/** One alarm and its row in 0.9 x pingInterval, for as long as a client is connected. */
const HEARTBEAT_MS = 22_500;

/** Counts in one row of storage, because variables do not survive a nap. Writing that row is counted as well. */
export class Ledger {
  readonly #storage: DurableObjectStorage;
  readonly #counts: Counts;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#counts = storage.kv.get<Counts>("ledger") ?? {
      wakes: 0,
      requests: 0,
      rows: 0,
      events: 0,
      at: Date.now(),
    };
    this.#counts.wakes += 1;
    this.#save();
  }

  /** A client has connected: by WebSocket at once, or by polling with the upgrade that follows. */
  connected(transport: string, isAlone: boolean): void {
    if (!isAlone) this.#addHeartbeats();
    if (transport === "websocket") this.#add(1 + MESSAGE, 0);
    else this.#add(5 + 2 * MESSAGE, 3);
  }

  /** A client has sent something or has left. Over polling that is a request, and the next poll is another one. */
  heard(transport: string, rows = 0): void {
    this.#addHeartbeats();
    this.#add(transport === "websocket" ? MESSAGE : 2, rows);
  }

  facts(): Facts {
    const { wakes, requests, rows, events } = this.#counts;
    return {
      wakes,
      dollars: requests * DOLLARS_PER_REQUEST + rows * DOLLARS_PER_ROW + (events + wakes) * DOLLARS_PER_EVENT,
    };
  }

  /** The heartbeats since something was counted last; during all of that time a client was connected. */
  #addHeartbeats(): void {
    const ticks = (Date.now() - this.#counts.at) / HEARTBEAT_MS;
    this.#counts.requests += ticks;
    this.#counts.rows += ticks;
    this.#counts.events += ticks;
  }

  #add(requests: number, rows: number): void {
    this.#counts.requests += requests;
    this.#counts.rows += rows;
    this.#counts.events += 1;
    this.#counts.at = Date.now();
    this.#save();
  }

  #save(): void {
    this.#counts.rows += 1;
    this.#storage.kv.put("ledger", this.#counts);
  }
}
