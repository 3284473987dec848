import type { EngineRequest } from "../../engine/request.ts";
import type { Session } from "../../engine/session.ts";
import type { MemberConnection } from "../sockets/socket-member.ts";
import type { AnyServer } from "./server.ts";
import type { AnySocket } from "./socket.ts";

/** The clients that user code has asked for. All sockets of a connection share one. */
const clients = new WeakMap<MemberConnection, Client>();

/** The connection of a client, which its sockets in several namespaces share: `socket.client`. */
export class Client {
  /** The Engine.IO session. */
  readonly conn: Session;
  /** The server of this object. */
  readonly server: AnyServer;
  readonly #connection: MemberConnection;

  private constructor(connection: MemberConnection, server: AnyServer) {
    this.conn = connection.conn;
    this.server = server;
    this.#connection = connection;
  }

  /** @internal */
  static of(connection: MemberConnection, server: AnyServer): Client {
    const client = clients.get(connection) ?? new Client(connection, server);
    clients.set(connection, client);
    return client;
  }

  /** The session's id: a secret of this client. Whoever knows it can act for the client. */
  get id(): string {
    return this.conn.id;
  }

  /** The first request of the connection. */
  get request(): EngineRequest {
    return this.conn.request;
  }

  /** The sockets of this connection by id. Those that sleep are loaded. */
  get sockets(): Map<string, AnySocket> {
    return new Map([...this.nsps.values()].map((socket) => [socket.id, socket]));
  }

  /** The sockets of this connection by namespace. Those that sleep are loaded. */
  get nsps(): Map<string, AnySocket> {
    return this.#connection.loadSockets() as Map<string, AnySocket>;
  }
}
