import { AsyncLocalStorage } from "node:async_hooks";
import type { Frame } from "../../src/codec/index.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { type EngineRequest, toRequest } from "../../src/engine/request.ts";
import type { Session } from "../../src/engine/session.ts";
import type { HalfPacket, SessionConsumer } from "../../src/engine/session-ports.ts";
import type { CloseReason } from "../../src/engine/state.ts";
import {
  type RecoveryEntry,
  type RecoveryRecord,
  type RecoveryStore,
  Server,
  type ServerHost,
  type ServerOptions,
} from "../../src/server/index.ts";
import { type Account, ByteBudget } from "../../src/shared/byte-budget.ts";
import type { SessionId } from "../../src/shared/ids.ts";
import { Mute } from "../../src/shared/mute.ts";
import { Timers } from "../../src/shared/timers.ts";

export type Setup = (io: Server) => void | Promise<void>;

/** Lets everything run that waits for nothing but its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A clock that only tests move. */
export class Clock {
  now = 1_700_000_000_000;
}

/** A connection as the server sees it, with what its client has received. */
class FakeSession {
  consumer: SessionConsumer | null = null;
  readyState: "open" | "closing" | "closed" = "open";
  readonly id: SessionId;
  readonly protocol: 3 | 4;
  readonly firstRequest: EngineRequest;
  readonly remoteAddress = "203.0.113.7";
  readonly secure = true;
  readonly recovered: boolean;
  readonly server = { opts: { pingInterval: 25_000, pingTimeout: 20_000 } };
  readonly stored: unknown;
  readonly transport: { name: "polling" | "websocket"; writable: boolean };
  isDirty = false;
  #request: EngineRequest | undefined;
  readonly account: Account;
  readonly half: HalfPacket;
  readonly #client: TestClient;
  readonly #object: FakeObject;

  constructor(client: TestClient, object: FakeObject, stored?: { record: unknown }) {
    this.id = client.sid;
    this.protocol = client.protocol;
    this.transport = { name: client.transport, writable: true };
    this.recovered = stored !== undefined;
    this.stored = stored?.record;
    this.#client = client;
    this.#object = object;
    this.half = object.halfOf(client.sid);
    this.account = object.budget.open((why) => {
      this.consumer?.drop?.();
      this.end("transport error", why);
    });
    this.firstRequest = toRequest({
      method: "GET",
      url: "https://example.com/socket.io/?EIO=4&transport=polling&token=abc",
      headers: [
        ["origin", "https://example.com"],
        ["user-agent", "test"],
        ["cf-connecting-ip", this.remoteAddress],
      ],
    });
  }

  get request(): EngineRequest {
    this.#request ??= this.consumer?.keepRequest?.(this.firstRequest);
    return this.#request ?? this.firstRequest;
  }

  sendFrames(frames: readonly Frame[], flags?: { volatile?: boolean }): boolean {
    if (this.readyState !== "open" || (flags?.volatile && !this.transport.writable)) return false;
    this.#client.frames.push(...frames);
    return true;
  }

  close(_discard?: boolean, why?: Error): this {
    this.end("forced close", why);
    return this;
  }

  changed(): void {
    this.isDirty = true;
    this.#object.saves++;
  }

  busyChanged(): void {
    this.isDirty = true;
  }

  end(reason: CloseReason, description?: unknown): void {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.#client.isOpen = false;
    this.#object.forget(this.id);
    const done = this.consumer?.closed(reason, description);
    if (done instanceof Promise) this.#object.keepAwake(done);
  }
}

/** What a client sent and got, in wire bytes. */
export class TestClient {
  readonly sid: SessionId;
  readonly transport: "polling" | "websocket";
  readonly protocol: 3 | 4;
  /** Engine.IO frames since the last `take`. */
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

  /** Sends messages in one go, without the `4` that marks one, and lets the server work. */
  async send(...messages: (string | Uint8Array)[]): Promise<this> {
    await this.#object.deliver(this.sid, messages);
    return this;
  }

  /** What arrived since the last call. */
  take(): Frame[] {
    const frames = this.frames;
    this.frames = [];
    return frames;
  }

  /** Sends, and gives what arrived. */
  async ask(...messages: (string | Uint8Array)[]): Promise<Frame[]> {
    await this.send(...messages);
    return this.take();
  }

  /** Joins a namespace; gives the socket's id. */
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

  save(record: RecoveryRecord): void {
    this.records.set(record.nsp + record.pid, structuredClone(record));
  }

  find(nsp: string, pid: string): RecoveryRecord | undefined {
    const record = structuredClone(this.records.get(nsp + pid));
    if (record?.at === null && !this.hasSession(record.session)) record.at = this.restartedAt;
    return record;
  }

  /** Records whose time is over. */
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

  /** Forgets the packets so far. */
  prune(): void {
    for (const { entry } of this.entries) this.lost = entry.offset;
    this.entries = [];
  }
}

export interface FakeOptions {
  options?: ServerOptions;
  hibernation?: boolean;
  hasAsyncContext?: boolean;
  maxHeldBytes?: number;
}

/** A Durable Object without the platform: it sleeps when it is told to, and then only what was saved is left. */
export class FakeObject {
  io!: Server;
  readonly clock = new Clock();
  readonly logs: string[] = [];
  readonly recovery = new FakeRecoveryStore();
  readonly timers = new Timers((fn) => AsyncLocalStorage.bind(fn));
  /** For which namespaces blocks of acknowledgement ids were taken. */
  readonly ackBlocks: string[] = [];
  /** How often `changed` was called. */
  saves = 0;
  /** How many sessions were brought into memory. */
  loads = 0;
  readonly #setup: Setup;
  readonly #fake: FakeOptions;
  readonly #clients = new Map<string, TestClient>();
  readonly #stored = new Map<SessionId, unknown>();
  readonly #sessions = new Map<SessionId, FakeSession>();
  /** Of its first instance only: what sleeps is not counted here. */
  readonly budget: ByteBudget;
  readonly #halves = new Map<SessionId, Frame[]>();
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
    const session = new FakeSession(client, this);
    this.#sessions.set(client.sid, session);
    this.#stored.set(client.sid, undefined);
    this.io.open(session as unknown as Session);
    await this.settle();
    return client;
  }

  async deliver(sid: SessionId, messages: (string | Uint8Array)[]): Promise<void> {
    await this.ready();
    const session = this.#load(sid);
    for (const message of messages) if (session?.readyState === "open") session.consumer?.message(message);
    await this.settle();
  }

  async end(sid: SessionId, reason: CloseReason, description?: unknown): Promise<void> {
    await this.ready();
    this.#load(sid)?.end(reason, description);
    await this.settle();
  }

  /** Lets the event end: saves what changed. */
  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) await turn();
    for (const [sid, session] of this.#sessions) {
      if (!session.isDirty || session.readyState === "closed") continue;
      session.isDirty = false;
      this.#stored.set(sid, structuredClone(session.consumer?.record()));
    }
  }

  /** Hibernates: what is in memory is lost, connections stay. */
  async sleep(): Promise<void> {
    await this.settle();
    if (this.isAwake) return;
    this.#isFirstRun = false;
    this.#sessions.clear();
    this.#begin();
  }

  /** Something under way keeps it awake. */
  get isAwake(): boolean {
    return this.#pending > 0;
  }

  /** Restarts: WebSockets are lost without a word. */
  async restart(): Promise<void> {
    await this.sleep();
    this.recovery.restartedAt = this.clock.now;
    for (const client of this.#clients.values()) {
      if (client.transport === "polling") continue;
      client.isOpen = false;
      this.#stored.delete(client.sid);
    }
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

  /** Rows of half a packet, which outlive the instance. */
  halfOf(sid: SessionId): HalfPacket {
    return {
      keepHalf: (messages) => {
        this.#halves.set(sid, [...(this.#halves.get(sid) ?? []), ...structuredClone(messages)]);
        this.saves++;
      },
      readHalf: () => this.#halves.get(sid) ?? [],
      dropHalf: () => this.#halves.delete(sid),
    };
  }

  forget(sid: SessionId): void {
    this.#stored.delete(sid);
    this.#sessions.delete(sid);
  }

  setWritable(client: TestClient, isWritable: boolean): void {
    const session = this.#load(client.sid);
    if (session !== undefined) session.transport.writable = isWritable;
  }

  isBusy(client: TestClient): boolean {
    return this.#sessions.get(client.sid)?.consumer?.isBusy() ?? false;
  }

  isIdle(client: TestClient): boolean {
    return this.#load(client.sid)?.consumer?.isIdle?.() ?? false;
  }

  storedOf(client: TestClient): unknown {
    return this.#stored.get(client.sid);
  }

  /** Server code outside of any packet, as a method of the object's class. */
  async act(action: (io: Server) => unknown): Promise<void> {
    await this.ready();
    await action(this.io);
    await this.settle();
  }

  #load(sid: SessionId): FakeSession | undefined {
    const awake = this.#sessions.get(sid);
    const client = this.#clients.get(sid);
    if (awake !== undefined || client === undefined || !this.#stored.has(sid)) return awake;
    const session = new FakeSession(client, this, { record: structuredClone(this.#stored.get(sid)) });
    this.#sessions.set(sid, session);
    this.loads++;
    this.io.load(session as unknown as Session);
    return session;
  }

  #begin(): void {
    this.#isSetUp = false;
    this.#settingUp = undefined;
    this.io = new Server(this.#fake.options ?? {}, this.#createHost());
  }

  async #runSetup(): Promise<void> {
    const run = () => this.#setup(this.io);
    if (this.#isFirstRun) await run();
    else await this.#mute.run(run, 10_000);
    this.#isSetUp = true;
  }

  readonly #asyncContext = new AsyncLocalStorage<unknown>();
  #mute = new Mute();

  #createHost(): ServerHost {
    const object = this;
    const mute = new Mute(this.#fake.hasAsyncContext === false ? undefined : this.#asyncContext);
    this.#mute = mute;
    return {
      engine: { close: () => {}, opts: { maxQueuedBytes: 16_000_000 } } as unknown as Engine,
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
      recovery: this.recovery,
      now: () => this.clock.now,
      log: (level, message, error) =>
        this.logs.push(`${level}: ${message}${error ? `: ${String(error)}` : ""}`),
      keepAwake: (promise) => this.keepAwake(promise),
      ready: () => this.ready(),
      checkHere: () => {},
      visitSleeping(visit) {
        for (const [sid, stored] of object.#stored) {
          if (!object.#sessions.has(sid)) visit(sid, structuredClone(stored));
        }
      },
      sendAsleep: () => false,
      session: (sid) => this.#load(sid) as unknown as Session | undefined,
      ghost: (sid) => {
        const session = new FakeSession(new TestClient(this, sid, {}), this, { record: undefined });
        session.readyState = "closed";
        return session as unknown as Session;
      },
      nextAckBlock: (nsp) => {
        this.ackBlocks.push(nsp);
        const first = this.#nextAckBlock;
        this.#nextAckBlock += 1_000;
        return first;
      },
      toBinary: (bytes) => bytes,
    };
  }
}
