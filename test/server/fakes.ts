import { AsyncLocalStorage } from "node:async_hooks";
import type { Frame } from "../../src/codec/index.ts";
import type { CloseReason, EndCode } from "../../src/engine/end-codes.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { HandshakeRecord } from "../../src/engine/handshake.ts";
import type { ObjectServer } from "../../src/engine/object-server.ts";
import { resolveEngineOptions, toRules } from "../../src/engine/options.ts";
import { Session } from "../../src/engine/session.ts";
import type { Change, PlatformEffect, SessionLink } from "../../src/engine/session-ports.ts";
import { createState } from "../../src/engine/state.ts";
import { MemoryRows } from "../../src/objects/storage/memory-rows.ts";
import type {
  Host,
  RecoveryEntry,
  RecoveryRecord,
  RecoveryStore,
  Server,
  ServerOptions,
} from "../../src/server/index.ts";
import { createSocketServer } from "../../src/server/object-server.ts";
import { ByteBudget } from "../../src/shared/byte-budget.ts";
import type { SessionId } from "../../src/shared/ids.ts";
import { Mute } from "../../src/shared/mute.ts";
import { Timers } from "../../src/shared/timers.ts";

export type Setup = (io: Server) => void | Promise<void>;

/** Lets everything run that waits only for its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A clock that only tests advance. */
export class Clock {
  now = 1_700_000_000_000;
}

/** A code for each reason with which a session ends. */
const CODES: Record<CloseReason, EndCode> = {
  "transport close": "CLIENT_CLOSED",
  "transport error": "TRANSPORT_ERROR",
  "ping timeout": "PING_TIMEOUT",
  "parse error": "PARSE_ERROR",
  "forced close": "SERVER_CLOSED",
};

const REQUEST = {
  method: "GET",
  url: "https://example.com/socket.io/?EIO=4&transport=polling&token=abc",
  headers: [
    ["origin", "https://example.com"],
    ["user-agent", "test"],
    ["cf-connecting-ip", "203.0.113.7"],
  ],
} as const;

/** A GET that waits for as long as it takes. */
const POLL = { pingDueAt: Number.POSITIVE_INFINITY, limit: 10_000 };

function isControl(frame: Frame): boolean {
  return frame === "1" || frame === "2" || frame === "6";
}

/** The platform of a session: a client that reads everything at once, and rows in memory. */
class FakeLink implements SessionLink {
  session!: Session;
  isDirty = false;
  readonly #client: TestClient;
  readonly #object: FakeObject;

  constructor(client: TestClient, object: FakeObject) {
    this.#client = client;
    this.#object = object;
  }

  /** A polling client polls again as soon as it has an answer. */
  poll(): void {
    const answer = this.session.poll(POLL.limit);
    if (answer.type === "park") this.session.state.poll = POLL;
    if (answer.type !== "reply") return;
    this.#take(answer.frames);
    this.poll();
  }

  #take(frames: readonly Frame[]): void {
    this.#client.frames.push(...frames.filter((frame) => !isControl(frame)));
  }

  pongedAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  carryOut(effect: PlatformEffect): void {
    switch (effect.type) {
      case "write":
      case "answer":
        this.#take(effect.frames);
        if (effect.type !== "write" && this.session.readyState !== "closed") this.poll();
        return;
      case "closed":
        this.#client.isOpen = false;
        this.#object.forget(this.session.id);
    }
  }

  saveLater(change: Change): void {
    if (change === "queue") {
      this.session.dispatch({ type: "flush", now: this.#object.clock.now });
      return;
    }
    this.isDirty = true;
    if (change === "record") this.#object.saves++;
  }

  keepAwake(promise: Promise<unknown>): void {
    this.#object.keepAwake(promise);
  }

  keepHalf(messages: readonly Frame[]): void {
    const { halves } = this.#object;
    halves.set(this.session.id, [...this.readHalf(), ...structuredClone(messages)]);
    this.#object.saves++;
  }

  readHalf(): readonly Frame[] {
    return this.#object.halves.get(this.session.id) ?? [];
  }

  dropHalf(): void {
    this.#object.halves.delete(this.session.id);
  }
}

/** What a client sent and received, in wire format. */
export class TestClient {
  readonly sid: SessionId;
  readonly transport: "polling" | "websocket";
  readonly protocol: 3 | 4;
  /** The Engine.IO frames since the last `take`. */
  frames: Frame[] = [];
  isOpen = true;
  readonly #object: FakeObject;

  constructor(
    object: FakeObject,
    sid: string,
    options: { transport?: "polling" | "websocket"; protocol?: 3 | 4 },
  ) {
    this.#object = object;
    this.sid = sid as SessionId;
    this.transport = options.transport ?? "websocket";
    this.protocol = options.protocol ?? 4;
  }

  /** Sends messages in one payload, without the `4` of a message, and lets the server handle them. */
  async send(...messages: (string | Uint8Array)[]): Promise<this> {
    await this.#object.deliver(this.sid, messages);
    return this;
  }

  /** What has arrived since the last call. */
  take(): Frame[] {
    const frames = this.frames;
    this.frames = [];
    return frames;
  }

  /** Sends messages, and returns what arrives. */
  async ask(...messages: (string | Uint8Array)[]): Promise<Frame[]> {
    await this.send(...messages);
    return this.take();
  }

  /** Joins a namespace, and returns the socket's id. */
  async join(nsp = "/", auth?: unknown): Promise<string> {
    const prefix = nsp === "/" ? "0" : `0${nsp},`;
    await this.send(prefix + (auth === undefined ? "" : JSON.stringify(auth)));
    const answer = this.frames.find(
      (frame) => typeof frame === "string" && frame.startsWith(`4${prefix}{"sid"`),
    );
    return JSON.parse(String(answer).slice(1 + prefix.length)).sid as string;
  }

  async leave(reason: CloseReason = "transport close", description?: unknown): Promise<void> {
    await this.#object.end(this.sid, reason, description);
  }
}

/** Recovery's storage in memory. */
export class FakeRecoveryStore implements RecoveryStore {
  readonly records = new Map<string, RecoveryRecord>();
  entries: { nsp: string; entry: RecoveryEntry }[] = [];
  lost = "";
  readonly quietMs = 90_000;
  hasSession: (sid: SessionId) => boolean = () => true;
  restartedAt = 0;
  windowMs = 0;
  readonly isAnybodyDue = false;

  save(record: RecoveryRecord): void {
    this.records.set(record.nsp + record.pid, structuredClone(record));
  }

  find(nsp: string, pid: string): RecoveryRecord | undefined {
    const record = structuredClone(this.records.get(nsp + pid));
    if (record?.at === null && !this.hasSession(record.session)) record.at = this.restartedAt;
    return record;
  }

  /** The records that have expired. */
  expire(before: number): RecoveryRecord[] {
    const expired: RecoveryRecord[] = [];
    for (const [key, { nsp, pid }] of this.records) {
      const record = this.find(nsp, pid);
      if (record === undefined || record.at === null || record.at > before) continue;
      this.records.delete(key);
      expired.push(record);
    }
    return expired;
  }

  remove(nsp: string, pid: string): void {
    this.records.delete(nsp + pid);
  }

  willWrite(): void {}

  append(nsp: string, entry: RecoveryEntry): void {
    this.entries.push(structuredClone({ nsp, entry }));
  }

  lostBefore(): string {
    return this.lost;
  }

  since(nsp: string, offset: string): RecoveryEntry[] {
    return this.entries.filter((it) => it.nsp === nsp && it.entry.offset > offset).map(({ entry }) => entry);
  }

  latest(nsp: string): string | undefined {
    return this.entries.findLast((it) => it.nsp === nsp)?.entry.offset;
  }

  prune(now: number): RecoveryRecord[] {
    return this.expire(now - this.windowMs);
  }

  nextPruneAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  /** Clears the log so far. */
  dropEntries(): void {
    for (const { entry } of this.entries) this.lost = entry.offset;
    this.entries = [];
  }
}

/** Rows as in SQLite, which returns copies. Counts those that are written or deleted. */
export class CountingRows extends MemoryRows {
  writes: string[] = [];
  reads = 0;
  /** Makes the storage fail. */
  isBroken = false;

  override get<T>(key: string): T | undefined {
    this.reads++;
    return structuredClone(super.get<T>(key));
  }

  override put<T>(key: string, value: T): void {
    if (this.isBroken) throw new Error("storage is broken");
    super.put(key, value);
    this.writes.push(key);
  }

  override delete(key: string): boolean {
    const isThere = super.delete(key);
    if (isThere) this.writes.push(`-${key}`);
    return isThere;
  }

  override *list<T>(options: SyncKvListOptions = {}): Iterable<[string, T]> {
    for (const row of [...super.list<T>(options)]) {
      this.reads++;
      yield structuredClone(row);
    }
  }

  /** Returns the keys written since the last call. */
  take(): string[] {
    const writes = this.writes;
    this.writes = [];
    return writes;
  }
}

export interface FakeOptions {
  options?: ServerOptions;
  hibernation?: boolean;
  hasAsyncContext?: boolean;
  maxHeldBytes?: number;
}

/** A Durable Object without the platform: it sleeps when a test says so, and keeps only what was saved. */
export class FakeObject {
  io!: Server;
  #server!: ObjectServer<Server>;
  readonly clock = new Clock();
  readonly logs: string[] = [];
  readonly recovery = new FakeRecoveryStore();
  readonly timers = new Timers((fn) => AsyncLocalStorage.bind(fn));
  /** The namespaces for which blocks of acknowledgement ids were taken. */
  readonly ackBlocks: string[] = [];
  /** The rows of `io.data`, which outlive instances. */
  readonly dataRows = new CountingRows();
  /** The time for which a tick was requested, in ms. */
  tickAt = Number.POSITIVE_INFINITY;
  /** The number of calls of `changed`. */
  saves = 0;
  /** The number of sessions that were loaded into memory. */
  loads = 0;
  readonly #setup: Setup;
  readonly #fake: FakeOptions;
  readonly #clients = new Map<string, TestClient>();
  readonly #stored = new Map<SessionId, unknown>();
  readonly #sessions = new Map<SessionId, FakeLink>();
  /** The budget of the first instance only, in which sleeping sessions do not count. */
  readonly budget: ByteBudget;
  /** The rows of incomplete packets, which outlive the instance. */
  readonly halves = new Map<SessionId, Frame[]>();
  #isFirstRun = true;
  #isSetUp = false;
  #settingUp: Promise<void> | undefined;
  #nextSid = 0;
  #nextAckBlock = 1_000;
  #pending = 0;

  constructor(setup: Setup, fake: FakeOptions = {}) {
    this.#setup = setup;
    this.#fake = fake;
    const object = fake.maxHeldBytes ?? 56_000_000;
    this.budget = new ByteBudget(crypto.randomUUID(), { object, isolate: 1e12 }, (why) =>
      this.logs.push(why),
    );
    this.recovery.hasSession = (sid) => this.#stored.has(sid);
    this.#begin();
  }

  async connect(
    options: { transport?: "polling" | "websocket"; protocol?: 3 | 4 } = {},
  ): Promise<TestClient> {
    await this.ready();
    const client = new TestClient(this, `session-${++this.#nextSid}`, options);
    this.#clients.set(client.sid, client);
    this.#stored.set(client.sid, undefined);
    this.#server.open(this.#add(client).session);
    await this.settle();
    return client;
  }

  async deliver(sid: SessionId, messages: (string | Uint8Array)[]): Promise<void> {
    await this.ready();
    const session = this.#load(sid);
    const { now } = this.clock;
    for (const data of messages)
      session?.dispatch({ type: "packet", packet: { type: "message", data }, now });
    await this.settle();
  }

  async end(sid: SessionId, reason: CloseReason, description?: unknown): Promise<void> {
    await this.ready();
    this.#load(sid)?.dispatch({ type: "transport-gone", code: CODES[reason], description });
    await this.settle();
  }

  /** Ends the event, and saves what has changed. */
  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) await turn();
    for (const [sid, link] of this.#sessions) {
      if (!link.isDirty) continue;
      link.isDirty = false;
      this.#stored.set(sid, structuredClone(link.session.consumer?.record()));
    }
  }

  /** Hibernates the object: its memory is lost, and connections stay. */
  async sleep(): Promise<void> {
    await this.settle();
    if (this.isAwake) return;
    this.#isFirstRun = false;
    this.#sessions.clear();
    this.#begin();
  }

  /** Whether something under way keeps it awake. */
  get isAwake(): boolean {
    return this.#pending > 0;
  }

  /** Restarts the object: WebSockets are closed without a packet. */
  async restart(): Promise<void> {
    await this.sleep();
    this.recovery.restartedAt = this.clock.now;
    for (const client of this.#clients.values()) {
      if (client.transport === "polling") continue;
      client.isOpen = false;
      this.#stored.delete(client.sid);
    }
  }

  /** Runs the heartbeat's tick for `io.data`. */
  tickData(): void {
    this.io._internals.context.data.tick(this.clock.now);
  }

  /** The time for which `io.data` requests the next tick. */
  nextDataTick(): number {
    return this.io._internals.context.data.nextTickAt;
  }

  keepAwake(promise: Promise<unknown>): void {
    this.#pending++;
    promise.finally(() => {
      this.#pending--;
    });
  }

  ready(): void | Promise<void> {
    if (this.#isSetUp) return undefined;
    this.#settingUp ??= this.#runSetup();
    return this.#settingUp;
  }

  forget(sid: SessionId): void {
    this.#stored.delete(sid);
    this.#sessions.delete(sid);
  }

  /** Lets a polling client have no GET waiting, or poll again. */
  setPolling(client: TestClient, isPolling: boolean): void {
    const session = this.#load(client.sid);
    if (isPolling) this.#sessions.get(client.sid)?.poll();
    else if (session !== undefined) session.state.poll = null;
  }

  isBusy(client: TestClient): boolean {
    return this.#sessions.get(client.sid)?.session.consumer?.isBusy() ?? false;
  }

  isIdle(client: TestClient): boolean {
    return this.#load(client.sid)?.consumer?.isIdle?.() ?? false;
  }

  storedOf(client: TestClient): unknown {
    return this.#stored.get(client.sid);
  }

  /** Runs server code outside of any packet, as a method of the object's class. */
  async act(action: (io: Server) => unknown): Promise<void> {
    await this.ready();
    await action(this.io);
    await this.settle();
  }

  #load(sid: SessionId): Session | undefined {
    const awake = this.#sessions.get(sid)?.session;
    const client = this.#clients.get(sid);
    if (awake !== undefined || client === undefined || !this.#stored.has(sid)) return awake;
    const { session } = this.#add(client, { record: structuredClone(this.#stored.get(sid)) });
    this.loads++;
    this.#server.load(session);
    return session;
  }

  #add(client: TestClient, stored?: { record: unknown }): FakeLink {
    const link = this.#createSession(client, stored);
    this.#sessions.set(client.sid, link);
    if (client.transport === "polling") link.session.state.poll = POLL;
    return link;
  }

  #createSession(client: TestClient, stored?: { record: unknown }): FakeLink {
    const { sid, protocol, transport } = client;
    const openedAt = this.clock.now;
    const address = "203.0.113.7";
    const handshake: HandshakeRecord = {
      protocol,
      b64: false,
      address,
      secure: true,
      openedAt,
      request: REQUEST,
    };
    const link = new FakeLink(client, this);
    const state = createState(protocol, transport, openedAt);
    link.session = new Session(sid, handshake, state, this.#host, link, stored);
    return link;
  }

  #begin(): void {
    this.#isSetUp = false;
    this.#settingUp = undefined;
    this.#host = this.#createHost();
    this.#server = createSocketServer<Server>(this.#fake.options ?? {}, this.#host);
    this.io = this.#server.api;
  }

  async #runSetup(): Promise<void> {
    const run = () => this.#setup(this.io);
    if (this.#isFirstRun) await run();
    else await this.#mute.run(run, 10_000);
    this.#isSetUp = true;
  }

  readonly #asyncContext = new AsyncLocalStorage<unknown>();
  #mute = new Mute();
  #host!: Host;
  #turn = 0;

  #createHost(): Host {
    const object = this;
    const mute = new Mute(this.#fake.hasAsyncContext === false ? undefined : this.#asyncContext);
    this.#mute = mute;
    const options = resolveEngineOptions(this.#fake.options ?? {});
    const directory = {
      count: () => this.#stored.size,
      all: () => [...this.#stored.keys()].flatMap((sid) => this.#load(sid) ?? []),
    };
    return {
      engine: new Engine(options, directory, (error, event) => this.logs.push(`${String(event)}: ${error}`)),
      rules: toRules(options),
      mute,
      timers: this.timers,
      budget: this.budget,
      hibernation: this.#fake.hibernation ?? true,
      get isFirstRun() {
        return object.#isFirstRun;
      },
      get isSetUp() {
        return object.#isSetUp;
      },
      openRecovery: (windowMs) => {
        this.recovery.windowMs = windowMs;
        return this.recovery;
      },
      now: () => this.clock.now,
      log: (level, message, error) =>
        this.logs.push(`${level}: ${message}${error ? `: ${String(error)}` : ""}`),
      keepAwake: (promise) => this.keepAwake(promise),
      ready: async () => this.ready(),
      resume: () => this.ready(),
      // Each write is treated as in a turn of its own.
      turn: () => ++this.#turn,
      checkInstance: () => {},
      visitSleeping(visit) {
        for (const [sid, stored] of object.#stored) {
          if (!object.#sessions.has(sid)) visit(sid, structuredClone(stored));
        }
      },
      sendAsleep: () => false,
      session: (sid) => this.#load(sid),
      endedSession: (sid) => {
        const { session } = this.#createSession(new TestClient(this, sid, {}));
        session.state.phase = "closed";
        session.account.close();
        return session;
      },
      nextAckBlock: (nsp) => {
        this.ackBlocks.push(nsp);
        const first = this.#nextAckBlock;
        this.#nextAckBlock += 1_000;
        return first;
      },
      dataRows: this.dataRows,
      willWrite: () => {},
      tickBy: (time) => {
        this.tickAt = Math.min(this.tickAt, time);
      },
      toBinary: (bytes) => bytes,
    };
  }
}
