import type { ObservedFact } from "../../engine/observed.ts";
import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { runSafely } from "../../shared/run-safely.ts";
import { SETTLED } from "../../shared/settled.ts";
import { inTime, pause } from "../../shared/timers.ts";
import {
  ANSWERS_KEPT_MS,
  ASK_AGAIN_MS,
  MESSAGE_BYTES,
  MOST_REPLIES,
  MOST_REPLY_BYTES,
  MOST_WAITING_BYTES,
  REQUEST_MS,
} from "../constants.ts";
import type { Memory } from "./batch-queue.ts";
import {
  type Answers,
  type AnswersCall,
  type Batch,
  type BatchAnswer,
  type ClusterAnswer,
  type ClusterCall,
  type ClusterMessage,
  type Peers,
  VERSION,
} from "./messages.ts";
import { isVolatile, PeerQueue, type QueueHost } from "./peer-queue.ts";
import { Reply } from "./reply.ts";
import { Senders } from "./senders.ts";

export interface MeshHost extends QueueHost {
  log(level: "warn" | "error", message: string, error?: unknown): void;
  readonly observe?: ((fact: ObservedFact) => void) | undefined;
}

/** The server of this shard, as the mesh uses it. */
export interface MeshServer {
  /** Carries out a message of another shard. If it throws, the error is logged. */
  carryOut(message: ClusterMessage, reply: Reply | undefined): void;
  /** Carries out a message of an emitter, here and in all other shards. Returns what came of it. */
  relay(message: ClusterMessage): unknown;
  /** Packets of a namespace were discarded that another shard should have got. */
  onLost(nsp: string, error: Error): void;
}

/**
 * One shard among others. It sends them messages, in order, and passes their messages on to the server of this shard.
 * It knows neither objects nor rooms.
 *
 *   say ──► a queue for each shard ──► call ──► their `receive` ──► their server
 *                                                  ▲
 *   ask ──► the same, and then ────► call ─────────┘ for what came of it
 */
export class Mesh {
  readonly peers: Peers;
  readonly #host: MeshHost;
  readonly #queues = new Map<string, PeerQueue>();
  readonly #load = { bytes: 0 };
  readonly #senders: Senders;
  readonly #replies = new Map<string, Reply>();
  #replyBytes = 0;
  readonly #lost = new Map<string, { nsp: string; count: number }>();
  #server: MeshServer | undefined;
  #lastRequest = 0;

  constructor(peers: Peers, host: MeshHost) {
    this.peers = peers;
    this.#host = host;
    this.#senders = new Senders(peers);
  }

  /** Sets the server that carries out the messages of other shards from now on. */
  serve(server: MeshServer): void {
    this.#server = server;
  }

  /** Sends a message to shards, or all others. If it does not arrive, the server is told (`onLost`). */
  say(message: ClusterMessage, shards = this.peers.all()): void {
    const mayBeLost = isVolatile(message);
    this.#add(message, shards, (shard, failure) => {
      if (failure === undefined) return;
      this.#host.observe?.({ type: "drop", code: mayBeLost ? "VOLATILE" : "SHARD_LOST", nsp: message.nsp });
      if (!mayBeLost) this.#lose(message.nsp, shard, failure);
    });
  }

  /** Sends a request to shards. Returns the answers of each that come within `timeoutMs`; undefined for none. */
  ask(message: ClusterMessage, shards: readonly string[], timeoutMs: number): Promise<Answers | undefined>[] {
    const { timers } = this.#host;
    const request = `${this.peers.self}:${this.#host.now()}:${++this.#lastRequest}`;
    const deadline = this.#host.now() + timeoutMs;
    const asked = new Map<string, (answers: Promise<Answers | undefined> | undefined) => void>();
    const answers = shards.map((shard) => {
      const answered = new Promise<Answers | undefined>((resolve) => asked.set(shard, resolve));
      return inTime(timers, timeoutMs, answered, () => undefined);
    });
    this.#add({ ...message, request }, shards, (shard, failure) =>
      asked.get(shard)?.(failure ? undefined : this.#fetch(shard, request, timeoutMs, deadline)),
    );
    return answers;
  }

  /**
   * Asks shards, or all others, and collects what they answer. The promise rejects, with the answers that have come,
   * as soon as no others can come, and at the latest when the time is over.
   */
  async collect(
    message: ClusterMessage,
    shards = this.peers.all(),
    timeoutMs = REQUEST_MS,
  ): Promise<unknown[]> {
    const answers = await Promise.all(this.ask(message, shards, timeoutMs));
    const responses = answers.flatMap((it) => (it?.isComplete ? it.values : []));
    const missing = shards.filter((_, i) => !answers[i]?.isComplete);
    if (missing.length === 0) return responses;
    const cut = shards.filter((_, i) => answers[i]?.isCut);
    const text = cut.length
      ? `the answers of shard ${cut.join(", ")} take more than ${MOST_REPLY_BYTES} bytes; ask for fewer at once`
      : `timeout reached: only ${shards.length - missing.length} responses received out of ${shards.length} ` +
        `(no answer of shard ${missing.join(", ")})`;
    throw Object.assign(new Error(text), { responses });
  }

  /**
   * Tells all shards that this one exists, also those of which it hears by that. Settles when each of them knows it or
   * was given up.
   */
  async greet(): Promise<void> {
    const told = new Set<string>();
    for (;;) {
      const shards = this.peers.all().filter((shard) => !told.has(shard));
      if (shards.length === 0) return;
      const greeted = shards.map((shard) => {
        told.add(shard);
        return new Promise((resolve) => this.#add({ type: "hello", nsp: "/" }, [shard], resolve));
      });
      await Promise.all(greeted);
    }
  }

  /** Answers a call of another shard. */
  receive(call: ClusterCall): ClusterAnswer | Promise<ClusterAnswer> {
    return call.type === "batch" ? this.#take(call) : this.#answer(call);
  }

  #add(
    message: ClusterMessage,
    shards: readonly string[],
    settle: (shard: string, failure: Error | undefined) => unknown,
  ): void {
    const memory: Memory = { bytes: estimateBytes(message) + MESSAGE_BYTES, holders: 0 };
    const isRequest = message.request !== undefined;
    for (const shard of shards) {
      const queue = this.#queueOf(shard);
      if (isVolatile(message) && queue.isFailing) {
        settle(shard, new Error("the shard is not reached"));
        continue;
      }
      const bytes = memory.holders === 0 ? memory.bytes : 0;
      if (isRequest ? this.#missing(bytes) > 0 : !this.#makeRoom(bytes)) {
        settle(shard, overflow());
        if (isRequest)
          this.#host.log("warn", `a request to shard ${shard} was refused: ${overflow().message}`);
        continue;
      }
      queue.add({ message, memory, settle: (failure) => settle(shard, failure as Error | undefined) });
    }
  }

  #queueOf(shard: string): PeerQueue {
    let queue = this.#queues.get(shard);
    if (queue === undefined) {
      queue = new PeerQueue(shard, this.peers, this.#host, this.#load);
      this.#queues.set(shard, queue);
    }
    return queue;
  }

  /** How many bytes have to be discarded before `bytes` fit. */
  #missing(bytes: number): number {
    return this.#load.bytes + bytes - MOST_WAITING_BYTES;
  }

  /**
   * Discards from the longest queue, so that a shard that cannot be reached costs the others nothing. Messages that
   * wait for several shards go last, and then for all of them, because only that frees their memory.
   */
  #makeRoom(bytes: number): boolean {
    if (this.#missing(bytes) <= 0) return true;
    // Nothing is discarded for a message that would not fit all the same.
    if (bytes > MOST_WAITING_BYTES) return false;
    for (const onlyVolatile of [true, false]) {
      for (const isShared of [false, true]) {
        const longest = [...this.#queues.values()].sort((a, b) => b.bytes - a.bytes);
        for (const queue of longest) queue.drop(this.#missing(bytes), onlyVolatile, isShared, overflow());
      }
    }
    return this.#missing(bytes) <= 0;
  }

  /** Carries out a batch in one turn. A message that fails does not affect the others. */
  #take({ from, epoch, number, messages }: Batch): BatchAnswer {
    const stale = this.#senders.replaced(from, epoch);
    if (stale !== undefined) return { stale };
    this.peers.hear([from]);
    const isHello = messages.some(({ type }) => type === "hello");
    const answer: BatchAnswer = {
      peers: isHello ? [this.peers.self, ...this.peers.all()] : undefined,
      isEmpty: this.peers.isEmpty() || undefined,
    };
    if (!this.#senders.take(from, { epoch, number })) return answer;
    for (const message of messages) {
      if (message.type === "hello") continue;
      const { request } = message;
      const reply = request === undefined ? undefined : this.#openReply(request, message);
      // Too many replies wait to be fetched. The asker hears of it when it calls for this one.
      if (request !== undefined && reply === undefined) continue;
      runSafely(
        () => this.#server?.carryOut(message, reply),
        (error) => {
          this.#host.log("error", `what another shard said (${message.type}) failed`, error);
          reply?.giveUp();
        },
      );
    }
    return answer;
  }

  #openReply(request: string, message: ClusterMessage): Reply | undefined {
    if (!this.#makeReplyRoom(1, 0)) return undefined;
    const timeoutMs = message.type === "broadcast" ? (message.timeoutMs ?? 0) : 0;
    const expiresAt = this.#host.now() + timeoutMs + ANSWERS_KEPT_MS;
    const reply: Reply = new Reply(expiresAt, (bytes) => this.#makeReplyRoom(0, bytes, reply));
    this.#replies.set(request, reply);
    return reply;
  }

  /**
   * Makes room for one more reply, or for more bytes in one. A reply that was fetched is kept for a repeated call,
   * until others need its room; the oldest goes first. `own` is the one that the bytes are for, which stays.
   */
  #makeReplyRoom(count: number, bytes: number, own?: Reply): boolean {
    const isFull = () =>
      this.#replies.size + count > MOST_REPLIES || this.#replyBytes + bytes > MOST_REPLY_BYTES;
    if (count > 0 || isFull()) {
      const now = this.#host.now();
      for (const [request, reply] of this.#replies) {
        if (reply === own || (reply.expiresAt > now && !(reply.isFetched && isFull()))) continue;
        this.#replies.delete(request);
        this.#replyBytes -= reply.bytes;
        reply.isFetched = true;
      }
    }
    if (isFull()) return false;
    this.#replyBytes += bytes;
    return true;
  }

  async #answer({ request, waitMs }: AnswersCall): Promise<Answers> {
    const reply = this.#replies.get(request);
    if (reply === undefined) return { count: 0, values: [], isComplete: true, isUnknown: true };
    await inTime(this.#host.timers, waitMs, reply.complete, () => {});
    reply.isFetched = true;
    return reply.toAnswers();
  }

  /**
   * Fetches the answers to a request. The other shard is told to return shortly before the time of the asker is over,
   * and until then a call that fails is repeated. A call that hangs is awaited for as long as it takes: the asker does
   * not wait for it.
   */
  async #fetch(
    shard: string,
    request: string,
    timeoutMs: number,
    deadline: number,
  ): Promise<Answers | undefined> {
    const margin = Math.max(50, timeoutMs / 10);
    for (;;) {
      const waitMs = Math.max(0, deadline - margin - this.#host.now());
      try {
        const call: AnswersCall = { v: VERSION, type: "answers", request, waitMs };
        const answers = (await this.peers.call(shard, call)) as Answers;
        return answers.isUnknown ? undefined : answers;
      } catch {
        if (this.#host.now() + ASK_AGAIN_MS >= deadline) return undefined;
        await pause(this.#host.timers, ASK_AGAIN_MS);
      }
    }
  }

  /** Reports discarded messages once in a turn, whatever their number. */
  #lose(nsp: string, shard: string, { message }: Error): void {
    if (this.#lost.size === 0) SETTLED.then(() => this.#tellLost());
    const text = `messages of namespace "${nsp}" were given up, shard ${shard}: ${message}`;
    const count = (this.#lost.get(text)?.count ?? 0) + 1;
    this.#lost.set(text, { nsp, count });
  }

  #tellLost(): void {
    const lost = [...this.#lost];
    this.#lost.clear();
    for (const [text, { nsp, count }] of lost) {
      const error = new Error(`${count} ${text}`);
      this.#host.log("warn", error.message);
      this.#server?.onLost(nsp, error);
    }
  }
}

function overflow(): Error {
  return new Error(`more than ${MOST_WAITING_BYTES} bytes wait for other shards`);
}
