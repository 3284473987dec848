import type { ObjectAnswer, ObjectCall } from "../server/cluster/messages.ts";
import type { ObjectDefinition } from "./definition.ts";
import { Platform } from "./platform.ts";
import { RequestHandler } from "./request-handler.ts";
import { Heartbeat } from "./sessions/heartbeat.ts";
import { SessionTable } from "./sessions/session-table.ts";
import { SocketEvents } from "./sessions/socket-events.ts";
import type { Counts } from "./tally.ts";
import { Turns } from "./turns.ts";
import { UserCode } from "./user-code.ts";

/**
 * What an object has, and what it has done. What it did is stored at a tick, so it lacks what an instance has done that
 * fell asleep, or ended, before its next tick.
 */
export interface ObjectStats extends Counts {
  /** From when on it has counted, ms since 1970. It begins anew once nobody is connected or awaited any more. */
  readonly since: number;
  /** 1 when it was in memory before it was asked, else 0. */
  readonly awakeObjects: number;
  /** Clients that are connected over WebSocket, and those that poll. */
  readonly websocket: number;
  readonly polling: number;
  /** How many of all these are in memory, and how many are not. */
  readonly awake: number;
  readonly asleep: number;
  /** Rooms in all namespaces, without those that each socket has of its own. A room counts once on each shard. */
  readonly rooms: number;
  /** Bytes that wait to be sent to clients. */
  readonly queuedBytes: number;
}

/**
 * One object at work: connects its parts, and receives the events of the platform. Every turn that changed something
 * ends in `Turns.end`:
 *
 *   event ─► session.dispatch ─► server ─► user code ─► emit ─► session.sendFrames
 *                                                          └─► saveLater ─► (end of turn) answer polls, save
 */
export class ObjectRuntime<Api> {
  readonly platform: Platform;
  readonly table: SessionTable;
  /** The requests of the Worker. */
  readonly requests: RequestHandler<Api>;
  /** The WebSocket events of the platform. */
  readonly sockets: SocketEvents;
  readonly #turns: Turns;
  readonly #userCode: UserCode<Api>;
  readonly #heartbeat: Heartbeat;

  constructor(ctx: DurableObjectState, env: Cloudflare.Env, definition: ObjectDefinition<Api>) {
    const platform = new Platform(ctx, env, definition);
    this.platform = platform;
    this.#turns = new Turns(platform, {
      flush: () => {
        platform.recovery?.settle();
        this.table.flush();
      },
      ensureTick: (session) => this.#heartbeat.ensureTick(session),
      find: (sid) => this.table.get(sid)?.session,
    });
    this.table = new SessionTable(platform, this.#turns, () => this.#userCode.host);
    this.#heartbeat = new Heartbeat(platform, this.table, () => this.#userCode.host.server);
    this.#userCode = new UserCode(platform, this.table, this.#turns, definition, env);
    this.requests = new RequestHandler(platform, this.table, this.#turns, this.#heartbeat, this.#userCode);
    this.sockets = new SocketEvents(platform, this.table, this.#heartbeat);
    if (platform.observe !== undefined && platform.identity.isLeftOver()) {
      platform.observe({ type: "wake", awayMs: platform.tally.awayMs() });
    }
  }

  /**
   * Runs the user's setup function, once an instance; undefined when it has run. The promise rejects with
   * `SetupFailed`.
   * @throws SetupFailed
   */
  ready(): void | Promise<void> {
    this.#heartbeat.healAlarm();
    return this.#userCode.ready();
  }

  /** `io` or the engine for methods of the object's class. @throws Error unless the setup function has completed */
  liveApi(): Api {
    let why = "it is running";
    try {
      if (this.ready() === undefined) return this.#userCode.host.server.api;
    } catch (error) {
      why = (error as Error).message;
    }
    throw new Error(
      `the setup function has to complete first: write "await this.ready()" before you use this.io or this.engine (${why})`,
    );
  }

  /** Counts without running the setup function. */
  stats(): ObjectStats {
    const { table } = this;
    const { tally, store } = this.platform;
    const isWoken = tally.counts.requests + tally.counts.messages + tally.counts.alarms === 0;
    tally.counts.requests++;
    const rooms = this.#userCode.host.server.countRooms?.() ?? 0;
    let websocket = 0;
    let queuedBytes = this.platform.persists && this.platform.identity.isKept ? store.rows.queued() : 0;
    const asleep = [...table.hibernating()];
    const awake = [...table.live()];
    for (const { socket } of asleep) if (socket !== undefined) websocket++;
    for (const { session, socket } of awake) {
      if (socket !== null) websocket++;
      queuedBytes += session.state.queuedBytes - session.state.storedBytes;
    }
    return {
      ...tally.read(),
      awakeObjects: isWoken ? 0 : 1,
      websocket,
      polling: asleep.length + awake.length - websocket,
      awake: awake.length,
      asleep: asleep.length,
      rooms,
      queuedBytes,
    };
  }

  /** What another object of the server says, or an emitter, which waits for the setup function. */
  async receive(call: ObjectCall): Promise<ObjectAnswer> {
    this.platform.tally.counts.requests++;
    this.platform.identity.tell(call.to);
    if (call.type === "relay") await this.ready();
    else {
      // If setup fails at once, the server of the next attempt has to be the one that carries out the message.
      if (call.type === "batch" && call.messages?.some(({ type }) => type !== "hello")) this.#trySetup();
      // The server carries it out, and has to be there for that.
      void this.#userCode.host.server;
    }
    return this.platform.cluster.receive(call);
  }

  /** Begins to run the setup function, for code that does not wait for it. */
  #trySetup(): void {
    try {
      void this.#userCode.ready();
    } catch {
      // A failure of the setup function was logged, and the batch is refused if the object does not know its name.
    }
  }

  /** The heartbeat. Returns whether the user's own schedule is due as well. */
  onAlarm(lateness: number): boolean {
    try {
      return this.#heartbeat.onAlarm(lateness);
    } finally {
      this.#turns.end();
      this.#heartbeat.rearm();
    }
  }

  /** A method of the user's class has settled. */
  onSettled(): void {
    this.#heartbeat.healAlarm();
    const { host } = this.#userCode;
    if (host.phase === "done") host.server.onSettled?.();
  }
}
