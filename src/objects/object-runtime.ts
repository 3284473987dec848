import type { ClusterAnswer, ClusterCall } from "../server/cluster/messages.ts";
import type { ObjectDefinition } from "./definition.ts";
import { Platform } from "./platform.ts";
import { RequestHandler } from "./request-handler.ts";
import { Heartbeat } from "./sessions/heartbeat.ts";
import { SessionTable } from "./sessions/session-table.ts";
import { SocketEvents } from "./sessions/socket-events.ts";
import { Turns } from "./turns.ts";
import { UserCode } from "./user-code.ts";

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
    this.table = new SessionTable(platform, this.#turns, () => this.#userCode.attempt);
    this.#heartbeat = new Heartbeat(platform, this.table, () => this.#userCode.attempt.server);
    this.#userCode = new UserCode(platform, this.table, this.#turns, definition, env);
    this.requests = new RequestHandler(platform, this.table, this.#turns, this.#heartbeat, this.#userCode);
    this.sockets = new SocketEvents(platform, this.table, this.#heartbeat);
    if (platform.observe !== undefined && platform.identity.isLeftOver()) platform.observe({ type: "wake" });
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
      if (this.ready() === undefined) return this.#userCode.attempt.server.api;
    } catch (error) {
      why = (error as Error).message;
    }
    throw new Error(
      `the setup function has to complete first: write "await this.ready()" before you use this.io or this.engine (${why})`,
    );
  }

  /** What another object of the server says. */
  async receive(call: ClusterCall): Promise<ClusterAnswer> {
    // The server carries it out, and has to be there for that.
    void this.#userCode.attempt.server;
    return this.platform.cluster.receive(call);
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
    const { host, server } = this.#userCode.attempt;
    if (host.phase === "done") server.onSettled?.();
  }
}
