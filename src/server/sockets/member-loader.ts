import type { Diagnostics } from "../diagnostics.ts";
import type { Host } from "../host.ts";
import type { RoomDirectory } from "../rooms/room-directory.ts";
import type { LocalSocket, MemberConnection, SocketControl, SocketMember } from "./socket-member.ts";

/** "recovered": its client came back in time. "loaded": another instance of the object knew it. */
export type SocketOrigin = "new" | "recovered" | "loaded";

/** Creates the sockets of one namespace. */
export interface SocketFactory {
  /** The socket enters itself as the state of `member`. */
  createSocket(connection: MemberConnection, member: SocketMember, origin: SocketOrigin): void;
}

/** Finds what creates the socket of a member; undefined when the code of today does not create its namespace. */
export type FactoryFinder = (member: SocketMember) => SocketFactory | undefined;

/** What the loader needs of the server. */
interface LoaderServer {
  readonly host: Host;
  readonly diagnostics: Diagnostics;
  readonly rooms: RoomDirectory<MemberConnection, SocketControl>;
}

/**
 * Brings sockets that sleep into memory, and no more of them than is needed.
 *
 * indexed --> `loadConnection`: its session is in memory --> `loadState`: its socket is there, too
 *                                                        `whenResumed`: its listeners are registered, too
 */
export class MemberLoader {
  readonly #server: LoaderServer;
  readonly #findFactory: FactoryFinder;

  constructor(server: LoaderServer, findFactory: FactoryFinder) {
    this.#server = server;
    this.#findFactory = findFactory;
  }

  /** Brings the session of a sleeping socket into memory. None of the user's code runs. */
  loadConnection(member: SocketMember): MemberConnection | undefined {
    if (member.client === undefined) this.#server.host.session(member.sid);
    if (member.client === undefined) this.#server.rooms.of(member.nsp).drop(member);
    return member.client;
  }

  /** The state of a socket, created if necessary; undefined when its session or its namespace is gone. */
  loadState(member: SocketMember): SocketControl | undefined {
    if (member.state === undefined) {
      const connection = this.loadConnection(member);
      const factory = this.#findFactory(member);
      if (connection !== undefined) factory?.createSocket(connection, member, "loaded");
    }
    return member.state;
  }

  loadSocket(member: SocketMember): LocalSocket | undefined {
    return this.loadState(member)?.socket;
  }

  /** Runs `action` once the listeners of a socket are registered: at once, if they are. */
  whenResumed(member: SocketMember, action: (state: SocketControl) => void): Promise<void> | void {
    if (member.state?.isResumed && member.held === undefined) action(member.state);
    else return this.#afterResume(member, action);
  }

  /** Has the listeners registered again, and runs `action` behind what was held before. */
  #afterResume(member: SocketMember, action: (state: SocketControl) => void): Promise<void> | void {
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
    const done = this.#server.host.mute.lift(() => this.#resume(member));
    this.#server.host.keepAwake(done);
    return done;
  }

  async #resume(member: SocketMember): Promise<void> {
    try {
      await this.#server.host.ready();
    } catch {
      // Nobody is served without the user's code. The object has logged the reason. The client comes back by itself,
      // and the packets that were held for this socket hold up no other.
      member.held = undefined;
      member.client?.conn.abandon();
      return;
    }
    try {
      await this.loadState(member)?.resume();
    } catch (error) {
      this.#server.diagnostics.onError(error, "connection");
    }
    const held = member.held ?? [];
    member.held = undefined;
    if (member.state === undefined) member.client?.dropUnknown(member);
    for (const run of held) this.#server.diagnostics.attempt("connection", run);
  }
}
