import { type Admission, EventEmitter } from "../shared/event-emitter.ts";
import { runSafely } from "../shared/run-safely.ts";
import type { Untyped } from "../shared/untyped.ts";
import type { AnyNamespace } from "./api/namespace.ts";
import type { ResolvedOptions } from "./api/options.ts";
import type { ParentNamespace } from "./api/parent-namespace.ts";
import type { AnyServer } from "./api/server.ts";
import { type AnySocket, Socket } from "./api/socket.ts";
import type { Host } from "./host.ts";
import { RecoveryExpiry } from "./recovery/expiry.ts";
import { Recovery } from "./recovery/recovery.ts";
import { LogicalClock } from "./rooms/logical-clock.ts";
import { RoomDirectory } from "./rooms/room-directory.ts";
import { WaitingBroadcasts } from "./rooms/waiting-broadcasts.ts";
import { Awake } from "./sockets/awake.ts";
import type { Client } from "./sockets/client.ts";
import { createParser, type Parser } from "./sockets/parser.ts";
import type { SocketMember } from "./sockets/socket-member.ts";
import type { SocketState } from "./sockets/socket-state.ts";
import { EscapedValues } from "./state/escaped-values.ts";

const MAX_WARNINGS = 1_000;
const LONGEST_PATH = 200;

/** How a namespace of a parent is found. */
export interface NamespaceFamily {
  readonly parent: ParentNamespace<Untyped, Untyped, Untyped, Untyped>;
  readonly pattern: RegExp | undefined;
  readonly matches: (
    name: string,
    auth: unknown,
    next: (error: Error | null, isAllowed: boolean) => void,
  ) => unknown;
}

/** What the parts of one server share, and users do not see. */
export class Core {
  readonly server: AnyServer;
  readonly host: Host;
  readonly options: ResolvedOptions;
  readonly parser: Parser;
  readonly awake: Awake;
  readonly broadcasts: WaitingBroadcasts;
  readonly clock: LogicalClock;
  readonly rooms: RoomDirectory<Client, SocketState>;
  readonly recovery: Recovery | undefined;
  readonly expiry: RecoveryExpiry | undefined;
  readonly namespaces = new Map<string, AnyNamespace>();
  readonly families: NamespaceFamily[] = [];
  /** A socket's end is being told. */
  isEnding = false;
  /** Kept values that may have changed where no proxy sees it. */
  readonly escaped = new EscapedValues();
  readonly #warned = new Set<string>();

  constructor(server: AnyServer, host: Host, options: ResolvedOptions) {
    this.server = server;
    this.host = host;
    this.options = options;
    this.parser = createParser(options.parser);
    this.awake = new Awake(host, options.maxAwakeTime);
    this.broadcasts = new WaitingBroadcasts(host);
    const { recovery } = options;
    const store = recovery && host.openRecovery(recovery.maxDisconnectionDuration, recovery.maxBytes);
    this.clock = new LogicalClock(host, store);
    this.rooms = new RoomDirectory(host, this.clock);
    if (recovery !== undefined && store !== undefined) {
      this.recovery = new Recovery(store, this, recovery);
      this.expiry = new RecoveryExpiry(store, host, (record) => server.expire(record));
    }
  }

  /** Whether the code that asks runs as a replay: what it does to the outside was done already. */
  get isMuted(): boolean {
    return this.host.mute.active;
  }

  /** Logs what user code threw. The session and the object go on. */
  readonly onError = (error: unknown, event: unknown): void => {
    this.host.log("error", `a listener of "${String(event)}" failed`, error);
  };

  /**
   * Runs what may be user code (an adapter, a parser, values with getters) in the middle of work that has to be done to
   * its end. What it throws is logged under `name`.
   */
  attempt<T>(name: string, run: () => T): T | undefined {
    return runSafely(run, (error) => this.onError(error, name));
  }

  /** Messages may hold names that clients chose: nobody reads a thousand of them. */
  warnOnce(message: string): void {
    if (this.#warned.has(message) || this.#warned.size === MAX_WARNINGS) return;
    this.#warned.add(message);
    this.host.log("warn", message);
  }

  /** A path quotes keys, and a client may have chosen them: a thousand of a megabyte each would stay in memory. */
  warnLeftOut(path: string): void {
    this.warnOnce(
      `${path.slice(0, LONGEST_PATH)} cannot be stored and is gone once the object has slept; keep plain data there`,
    );
  }

  /** Code that runs after setup registers something that the next instance will not know. */
  admitLate(what: string, cure: string): Admission {
    if (!this.host.isSetUp) return "add";
    this.host.checkInstance("io or a socket");
    if (this.host.hibernation && !this.isMuted) {
      this.warnOnce(`${what} is gone once the object has slept; ${cure}`);
    }
    return "add";
  }

  /** The session of a sleeping socket, brought into memory; none of the user's code runs. */
  wake(member: SocketMember): Client | undefined {
    if (member.client === undefined) this.host.session(member.sid);
    if (member.client === undefined) this.rooms.of(member.nsp).drop(member);
    return member.client;
  }

  /** A member's socket, made if need be. Undefined when its session is gone, or nobody made its namespace. */
  stateOf(member: SocketMember): SocketState | undefined {
    if (member.state === undefined) {
      const client = this.wake(member);
      const nsp = this.#namespaceOf(member);
      // The state enters itself with its member.
      if (client !== undefined && nsp !== undefined) new Socket(nsp, client, member, "loaded");
    }
    return member.state;
  }

  socketOf(member: SocketMember): AnySocket | undefined {
    return this.stateOf(member)?.socket;
  }

  /** Has a member's listeners registered again, and then runs `action`, after what was held before. */
  afterResume(member: SocketMember, action: (state: SocketState) => void): Promise<void> | void {
    const run = () => {
      if (member.state !== undefined) action(member.state);
    };
    const { held } = member;
    if (held !== undefined) {
      return new Promise((resolve) => {
        held.push(() => {
          run();
          resolve();
        });
      });
    }
    member.held = [run];
    const done = this.host.mute.lift(() => this.#resume(member));
    this.host.keepAwake(done);
    return done;
  }

  async #resume(member: SocketMember): Promise<void> {
    try {
      await this.host.ready();
    } catch {
      // Without the user's code nobody is served; the object has said so in the log, and ends the session.
      return;
    }
    try {
      await this.stateOf(member)?.resume();
    } catch (error) {
      this.onError(error, "connection");
    }
    const held = member.held ?? [];
    member.held = undefined;
    if (member.state === undefined) member.client?._dropUnknown(member);
    for (const run of held) this.attempt("connection", run);
  }

  /** A namespace was made; the main one tells of it. */
  addNamespace(nsp: AnyNamespace): void {
    this.namespaces.set(nsp.name, nsp);
    EventEmitter.dispatch(this.server.sockets, ["new_namespace", nsp], this.onError);
  }

  /** A handler, or a method of the object's class, has settled: what it changed unseen is looked for. */
  onSettled(state?: SocketState): void {
    this.attempt("socket.data", () => this.#findChanges(state));
  }

  #findChanges(state: SocketState | undefined): void {
    state?.findChanges();
    this.escaped.compare();
  }

  /**
   * Runs listeners of a socket's end. Who leaves after it is still there for them, as on Node, and they are heard,
   * though a replay may have brought the end about.
   */
  tellEnd(run: () => void): void {
    const before = this.isEnding;
    this.isEnding = true;
    this.host.mute.lift(run);
    this.isEnding = before;
  }

  /** Children of dynamic namespaces that an earlier instance made exist again, if somebody is in them. */
  reviveChildren(): void {
    if (this.families.length === 0) return;
    for (const member of this.rooms.oneOfEach()) this.#namespaceOf(member);
  }

  /** A namespace that exists: a child that an earlier instance made does, if somebody is in it. */
  existing(nsp: string): AnyNamespace | undefined {
    const known = this.namespaces.get(nsp);
    if (known !== undefined || this.families.length === 0) return known;
    const member = this.rooms.anyOf(nsp);
    return member && this.#namespaceOf(member);
  }

  /** A namespace that exists, or that a parent made in an earlier instance. */
  #namespaceOf({ nsp, parent }: SocketMember): AnyNamespace | undefined {
    const known = this.namespaces.get(nsp);
    if (known !== undefined || parent === undefined) return known;
    const family = this.families.find((it) => it.parent.name === parent);
    let revived: AnyNamespace | undefined;
    // "new_namespace" is told again, for what listens prepares the namespace.
    this.host.mute.run(() => {
      revived = this.attempt("new_namespace", () => family?.parent.createChild(nsp));
    }, 0);
    return revived;
  }
}
