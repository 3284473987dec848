import { EventEmitter } from "node:events";
import { Server } from "socket.io";
import type { Frame } from "../../src/codec/index.ts";
import { turn } from "./fakes.ts";

/** A connection as socket.io sees it, without Engine.IO. */
class OfficialConnection extends EventEmitter {
  readonly id: string;
  readonly protocol = 4;
  readyState = "open";
  readonly transport = { name: "websocket", writable: true };
  readonly remoteAddress = "203.0.113.7";
  readonly request = {
    url: "/socket.io/?EIO=4&transport=polling&token=abc",
    headers: { origin: "https://example.com", "user-agent": "test" },
    connection: { encrypted: true },
    _query: { EIO: "4", transport: "polling", token: "abc" },
  };
  readonly client: OfficialClient;

  constructor(client: OfficialClient, id: string) {
    super();
    this.client = client;
    this.id = id;
  }

  write(data: string | Uint8Array): void {
    this.client.frames.push(typeof data === "string" ? `4${data}` : new Uint8Array(data));
  }

  close(): void {
    this.end("forced close");
  }

  end(reason: string, description?: unknown): void {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.client.isOpen = false;
    this.emit("close", reason, description);
  }
}

class OfficialClient {
  frames: Frame[] = [];
  isOpen = true;
  connection!: OfficialConnection;

  async send(...messages: (string | Uint8Array)[]): Promise<this> {
    for (const message of messages) {
      const isOpen = this.connection.readyState === "open";
      if (isOpen) this.connection.emit("data", typeof message === "string" ? message : Buffer.from(message));
    }
    for (let i = 0; i < 3; i++) await turn();
    return this;
  }

  take(): Frame[] {
    const frames = this.frames;
    this.frames = [];
    return frames;
  }

  async leave(reason = "transport close", description?: unknown): Promise<void> {
    this.connection.end(reason, description);
    for (let i = 0; i < 3; i++) await turn();
  }
}

/** Socket.IO for Node with the same wire as our fake object; it decides what is right. */
export class OfficialObject {
  readonly io: Server;
  readonly logs: string[] = [];
  readonly #engine = new EventEmitter();
  #nextId = 0;

  constructor(setup: (io: never) => void, options: object = {}) {
    this.io = new Server(options);
    this.io.bind(this.#engine);
    setup(this.io as never);
  }

  async connect(): Promise<OfficialClient> {
    const client = new OfficialClient();
    client.connection = new OfficialConnection(client, `session-${++this.#nextId}`);
    this.#engine.emit("connection", client.connection);
    await turn();
    return client;
  }

  async act(action: (io: never) => unknown): Promise<void> {
    await action(this.io as never);
    for (let i = 0; i < 3; i++) await turn();
  }

  async sleep(): Promise<void> {}
}
