import type { Server } from "../../src/server/index.ts";
import { type Application, applications } from "../fixtures/worker.ts";
import { type PollingClient, RS, type SocketClient, type TalkKind, TestObject } from "./support.ts";

export type TransportName = "polling" | "websocket";

/** An object with a Socket.IO server whose application the test provides. */
export class TalkObject extends TestObject {
  constructor(name: string, application: Application, kind: TalkKind = "TALK") {
    super(name, kind);
    this.deploy(application);
  }

  /** The application of the next instance. */
  deploy(application: Application): void {
    applications.set(this.stub.id.toString(), application);
  }

  /** Server code outside of any packet, as a method of the object's class. */
  act<R>(action: (io: Server) => R | Promise<R>): Promise<R> {
    return this.run((instance) => action((instance as unknown as { io: Server }).io));
  }

  /** `data` is the JSON of the `handshakeData` that the Worker computed. */
  async connect(
    transport: TransportName = "websocket",
    data?: string,
    meta: Parameters<TestObject["openSocket"]>[0] = {},
  ): Promise<Talker> {
    if (transport === "polling") return new PollingTalker(await this.openPolling());
    return new SocketTalker(await this.openSocket({ ...meta, data }));
  }

  /** Connects a client that has joined the main namespace. */
  async join(transport: TransportName = "websocket", auth?: object): Promise<Talker> {
    const client = await this.connect(transport);
    await client.join("/", auth);
    return client;
  }
}

/** A client of the main namespace and of others, in wire format. */
export abstract class Talker {
  /** The id of its socket in the namespace that it has joined last. */
  id = "";
  #lastAck = 100;

  abstract readonly sid: string;
  /** Sends packets in one payload. */
  abstract say(...packets: string[]): Promise<void>;
  /** Returns the next packet; pings are skipped. */
  abstract hear(): Promise<string>;
  /** Shows that the client is alive, and resolves when the object has received that. */
  abstract live(): Promise<void>;

  /** Joins, and returns the packets before the answer, and the answer. */
  async join(nsp = "/", auth?: object): Promise<string[]> {
    const prefix = nsp === "/" ? "40" : `40${nsp},`;
    await this.say(prefix + (auth === undefined ? "" : JSON.stringify(auth)));
    const heard = await this.hearUntil(`${prefix}{`);
    this.id = (JSON.parse(heard.at(-1)!.slice(prefix.length)) as { sid: string }).sid;
    return heard;
  }

  /** Returns the packets up to the first one that begins with a prefix. */
  async hearUntil(prefix: string): Promise<string[]> {
    const heard: string[] = [];
    for (;;) {
      const packet = await this.hear().catch((error: Error) => {
        throw new Error(
          `no "${prefix}" was heard after ${JSON.stringify(heard.slice(-5))}: ${error.message}`,
        );
      });
      heard.push(packet);
      if (packet.startsWith(prefix)) return heard;
    }
  }

  /** Emits an event and waits for the acknowledgement; returns the packets before it, and it, without its id. */
  async ask(event: string, ...args: unknown[]): Promise<string[]> {
    const id = ++this.#lastAck;
    await this.say(`42${id}${JSON.stringify([event, ...args])}`);
    const heard = await this.hearUntil(`43${id}[`);
    return [...heard.slice(0, -1), heard.at(-1)!.replace(`43${id}`, "43")];
  }
}

export class SocketTalker extends Talker {
  readonly client: SocketClient;
  readonly #unread: string[] = [];

  constructor(client: SocketClient) {
    super();
    this.client = client;
  }

  get sid(): string {
    return this.client.sid;
  }

  async say(...packets: string[]): Promise<void> {
    for (const packet of packets) this.client.socket.send(packet);
  }

  async hear(): Promise<string> {
    for (;;) {
      const packet = this.#unread.shift() ?? (await this.client.text());
      if (packet !== "2") return packet;
    }
  }

  async live(): Promise<void> {
    this.client.socket.send("3");
    for (let packet = await this.client.text(); packet !== "6"; packet = await this.client.text()) {
      this.#unread.push(packet);
    }
  }
}

export class PollingTalker extends Talker {
  readonly client: PollingClient;
  readonly #unread: string[] = [];

  constructor(client: PollingClient) {
    super();
    this.client = client;
  }

  get sid(): string {
    return this.client.sid;
  }

  async say(...packets: string[]): Promise<void> {
    const answer = await this.client.post(packets.join(RS));
    if (answer !== "200 ok") throw new Error(`POST: ${answer}`);
  }

  async hear(): Promise<string> {
    while (this.#unread.length === 0) {
      const response = await this.client.request();
      const payload = await response.text();
      if (response.status !== 200) throw new Error(`GET: ${response.status} ${payload}`);
      this.#unread.push(...payload.split(RS).filter((packet) => packet !== "2"));
    }
    return this.#unread.shift() as string;
  }

  /** A ping is due when an instance does not know when the last one was sent. */
  async live(): Promise<void> {
    const payload = await this.client.poll();
    this.#unread.push(...payload.split(RS).filter((packet) => packet !== "2"));
  }
}
