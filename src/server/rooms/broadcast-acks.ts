import type { Account } from "../../shared/byte-budget.ts";
import type { Timer } from "../../shared/timers.ts";
import type { Diagnostics } from "../diagnostics.ts";
import type { Host } from "../host.ts";
import type { KeepAlive, PendingWork } from "../sockets/keep-alive.ts";

/**
 * Estimated memory, in bytes: what collects the answers to a broadcast, and what knows its receivers in this object.
 */
const COLLECTOR_BYTES = 500;
const RECEIVERS_BYTES = 500;
/** What each receiver takes, first as one that is waited for and then as an answer. */
const RECEIVER_BYTES = 60;

/** What acknowledgements of broadcasts need of their server. */
interface AckServices {
  readonly host: Host;
  readonly keepAlive: KeepAlive;
  readonly diagnostics: Diagnostics;
  readonly broadcasts: BroadcastBudget;
}

/**
 * The memory of all broadcasts of a server that wait for answers. It belongs to no client, although clients may bring
 * broadcasts about, so it has an account of its own. When that is the largest of the object, all broadcasts time out at
 * once. Their callbacks may broadcast again, so they run when the memory is free.
 */
export class BroadcastBudget {
  readonly #host: Host;
  readonly #waiting = new Map<() => void, number>();
  #account: Account | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  /** `giveUp` ends the wait, and stands for it from now on. */
  open(giveUp: () => void, bytes: number): void {
    this.#waiting.set(giveUp, 0);
    this.add(giveUp, bytes);
  }

  add(giveUp: () => void, bytes: number): void {
    const before = this.#waiting.get(giveUp);
    if (before === undefined) return;
    this.#waiting.set(giveUp, before + bytes);
    this.#account ??= this.#host.budget.open(() => this.#giveUpAll());
    this.#account.add(bytes);
  }

  close(giveUp: () => void): void {
    this.#account?.add(-(this.#waiting.get(giveUp) ?? 0));
    this.#waiting.delete(giveUp);
  }

  #giveUpAll(): void {
    for (const giveUp of this.#waiting.keys()) this.#host.timers.set(giveUp, 0);
    this.#waiting.clear();
    this.#account = undefined;
  }
}

/** Called with the answers that came; `error` when the time was over before all of them had come. */
type OnCollected = (error: Error | null, answers: unknown[]) => void;

/**
 * Collects the answers to one broadcast, from any number of servers. It is complete when each server has said how many
 * clients it reached, and each of these has answered or left.
 */
export class AckCollector {
  readonly #services: AckServices;
  readonly #onCollected: OnCollected;
  readonly #answers: unknown[] = [];
  readonly #work: PendingWork;
  readonly #timer: Timer;
  #isOver = false;
  #expectedServers = -1;
  #servers = 0;
  /** Clients that have not answered. */
  #waiting = 0;

  constructor(services: AckServices, timeoutMs: number | undefined, onCollected: OnCollected) {
    this.#services = services;
    this.#onCollected = onCollected;
    this.#work = services.keepAlive.begin(undefined, false);
    const timedOut = () => this.#finish(new Error("operation has timed out"));
    this.#timer = services.host.timers.set(timedOut, timeoutMs);
    services.broadcasts.open(this.#timer.run, COLLECTOR_BYTES);
  }

  /** So many servers take part, this one included. */
  expectServers(count: number): void {
    this.#expectedServers = count;
    this.#check();
  }

  /** One server has sent the packet to so many clients. */
  onSent(clients: number): void {
    this.#waiting += clients;
    this.#servers++;
    this.#check();
  }

  onAnswer(answer: unknown): void {
    this.#answers.push(answer);
    this.#services.broadcasts.add(this.#timer.run, RECEIVER_BYTES);
    this.onGone();
  }

  /** A client has left without an answer. */
  onGone(): void {
    this.#waiting--;
    this.#check();
  }

  #check(): void {
    if (this.#servers === this.#expectedServers && this.#waiting === 0) this.#finish(null);
  }

  #finish(error: Error | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { host, broadcasts, keepAlive, diagnostics } = this.#services;
    host.timers.clear(this.#timer);
    broadcasts.close(this.#timer.run);
    keepAlive.end(this.#work);
    diagnostics.attempt("acknowledgement", () => this.#onCollected(error, this.#answers));
  }
}

/** The receivers of one broadcast among the sockets of this object. */
interface Receivers {
  readonly waiting: Set<string>;
  readonly onAnswer: (answer: unknown) => void;
  readonly onGone: (() => void) | undefined;
  readonly timer: Timer;
  /** The packet is on its way to all of them. Until then some may have left, and others may come. */
  isSent: boolean;
}

/**
 * The acknowledgements that broadcasts of one namespace wait for. The server that broadcasts collects the answers, from
 * itself and from others; each server knows which of its own sockets have not answered.
 *
 * collect --> (each server: send --> answer | the socket leaves | the time is over) --> complete, or timed out
 */
export class BroadcastAcks {
  readonly #services: AckServices;
  readonly #receivers = new Map<number, Receivers>();

  constructor(services: AckServices) {
    this.#services = services;
  }

  /** Begins to collect. Without a timeout the time is over at once. */
  collect(timeoutMs: number | undefined, onCollected: OnCollected): AckCollector {
    return new AckCollector(this.#services, timeoutMs, onCollected);
  }

  /**
   * Waits for sockets of this object, until the time is over: `send` sends the packet with the acknowledgement `id`,
   * and says to whom. Returns how many these are.
   */
  waitFor(
    id: number,
    timeoutMs: number | undefined,
    send: (addReceiver: (socketId: string) => void) => void,
    onAnswer: (answer: unknown) => void,
    onGone?: () => void,
  ): number {
    const { host, broadcasts } = this.#services;
    const waiting = new Set<string>();
    const timer = host.timers.set(() => this.#close(id), timeoutMs);
    const receivers: Receivers = { waiting, onAnswer, onGone, timer, isSent: false };
    this.#receivers.set(id, receivers);
    let count = 0;
    send((socketId) => {
      waiting.add(socketId);
      count++;
    });
    receivers.isSent = true;
    if (waiting.size === 0) this.#close(id);
    else broadcasts.open(timer.run, RECEIVERS_BYTES + waiting.size * RECEIVER_BYTES);
    return count;
  }

  /** A socket has answered an acknowledgement that may be one of these. */
  onAnswer(id: number, socketId: string, answer: unknown): void {
    const receivers = this.#receivers.get(id);
    if (receivers === undefined || !this.#remove(id, receivers, socketId)) return;
    receivers.onAnswer(answer);
  }

  /** A socket has left: nobody waits for its answers any longer. */
  onGone(socketId: string): void {
    for (const [id, receivers] of this.#receivers) {
      if (this.#remove(id, receivers, socketId)) receivers.onGone?.();
    }
  }

  #remove(id: number, { waiting, timer, isSent }: Receivers, socketId: string): boolean {
    if (!waiting.delete(socketId)) return false;
    if (waiting.size === 0 && isSent) this.#close(id);
    else this.#services.broadcasts.add(timer.run, -RECEIVER_BYTES);
    return true;
  }

  #close(id: number): void {
    const { timer } = this.#receivers.get(id) ?? {};
    if (timer === undefined) return;
    this.#receivers.delete(id);
    this.#services.host.timers.clear(timer);
    this.#services.broadcasts.close(timer.run);
  }
}
