/// <reference types="@cloudflare/vitest-plugin/types" />
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env as workerEnv } from "cloudflare:workers";
import { vi } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import type { App } from "../../src/http/app.ts";
import { type InternalRequest, toInternalRequest } from "../../src/objects/internal-request.ts";
import { toAddress } from "../../src/objects/placement/object-name.ts";
import type { SessionObjectMembers } from "../../src/objects/session-object.ts";
import type { SocketRole } from "../../src/objects/storage/session-store.ts";
import {
  awake,
  bare,
  closure,
  echoes,
  ending,
  greeter,
  journals,
  named,
  nameless,
  observed,
  quick,
  recover,
  scant,
  small,
  spreadOver,
  spreadRecover,
  talk,
  tight,
  told,
  toldQuickly,
} from "../fixtures/worker.ts";
import { within } from "../support/within.ts";

type Instance = Rpc.DurableObjectBranded & SessionObjectMembers & { readonly engine: Engine };
type Namespace = DurableObjectNamespace<Instance & Rpc.DurableObjectBranded>;

export const env = workerEnv as unknown as Cloudflare.Env & Record<Kind | "PLAIN", Namespace>;

export const RS = "\x1e";

const DEFINITIONS = {
  ECHO: echoes,
  QUICK: quick,
  AWAKE: awake,
  SMALL: small,
  GREET: greeter,
  BARE: bare,
  TALK: talk,
  RECOVER: recover,
  CLOSURE: closure,
  TIGHT: tight,
  SCANT: scant,
  TOLD: told,
  TOLD_QUICKLY: toldQuickly,
  NAMED: named,
  SPREAD: spreadOver,
  SPREAD_RECOVER: spreadRecover,
  NAMELESS: nameless,
  OBSERVED: observed,
  ENDING: ending,
};
export type Kind = keyof typeof DEFINITIONS;
/** The kinds that run a Socket.IO server. */
export type TalkKind =
  | "TALK"
  | "RECOVER"
  | "CLOSURE"
  | "TIGHT"
  | "SCANT"
  | "NAMED"
  | "NAMELESS"
  | "OBSERVED"
  | "ENDING"
  | "SPREAD"
  | "SPREAD_RECOVER";
const TALKS: ReadonlySet<Kind> = new Set<TalkKind>([
  "TALK",
  "RECOVER",
  "CLOSURE",
  "TIGHT",
  "SCANT",
  "NAMED",
  "NAMELESS",
  "OBSERVED",
  "ENDING",
  "SPREAD",
  "SPREAD_RECOVER",
]);

/** One object, observed from outside and from inside. */
export class TestObject {
  readonly kind: Kind;
  readonly name: string;

  constructor(name: string, kind: Kind = "ECHO") {
    this.name = name;
    this.kind = kind;
  }

  get app(): App {
    return DEFINITIONS[this.kind].app;
  }

  get path(): string {
    return TALKS.has(this.kind) ? "/socket.io/" : "/engine.io/";
  }

  /** A new stub for each use, because one whose object has failed stays broken. */
  get stub() {
    return env[this.kind].getByName(this.name);
  }

  /** What the user's code has recorded in all instances together. */
  get journal(): string[] {
    return journals.get(this.stub.id.toString()) ?? [];
  }

  fetch(meta: Partial<InternalRequest> & Pick<InternalRequest, "op">, body?: BodyInit): Promise<Response> {
    const url = `https://example.com${this.path}?EIO=4&transport=${meta.transport ?? "polling"}`;
    const request = { method: "GET", url, headers: [] };
    const rest = {
      transport: "polling",
      protocol: 4,
      b64: false,
      address: "192.0.2.1",
      secure: true,
    } as const;
    const address = toAddress(this.name);
    return this.stub.fetch(
      ...toInternalRequest({ v: 1, sid: "", ...address, ...rest, request, ...meta }, body),
    );
  }

  run<R>(look: (instance: Instance, ctx: DurableObjectState) => R | Promise<R>): Promise<R> {
    return runInDurableObject(this.stub, look);
  }

  async sleep(): Promise<void> {
    try {
      await evictDurableObject(this.stub);
    } catch (error) {
      // What happened since it fell asleep has not woken it.
      if (!String(error).includes("not currently running")) throw error;
    }
  }

  /** Ends the instance, also one that has just woken, together with its WebSockets. */
  async restart(): Promise<void> {
    await this.run(() => {});
    return evictDurableObject(this.stub, { webSockets: "close" });
  }

  /** The library's rows by key; those of its table as `sio_rows:<owner>:<kind>:<n>`. */
  rows(): Promise<Map<string, unknown>> {
    return this.run((_, { storage: { kv, sql } }) => {
      const rows = new Map<string, unknown>(kv.list({ prefix: "sio_" }));
      const isThere = [...sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'sio_rows'")].length > 0;
      for (const row of isThere ? sql.exec("SELECT * FROM sio_rows") : []) {
        rows.set(`sio_rows:${row.owner}:${row.kind}:${row.n}`, row);
      }
      return rows;
    });
  }

  /** The keys of rows that belong to sessions. */
  async sessionRows(): Promise<string[]> {
    return [...(await this.rows()).keys()].filter((key) => /^sio_([so]|rows):/.test(key));
  }

  /** The contents of the attachments of its open sockets. */
  roles(): Promise<NonNullable<SocketRole>[]> {
    return this.run((_, ctx) =>
      ctx
        .getWebSockets()
        .filter((socket) => socket.readyState === WebSocket.OPEN)
        .map((socket) => socket.deserializeAttachment() as SocketRole)
        .filter((role) => role !== null),
    );
  }

  async openPolling(): Promise<PollingClient> {
    const response = await this.fetch({ op: "open" });
    if (response.status !== 200) throw new Error(`handshake: ${response.status} ${await response.text()}`);
    const open = JSON.parse((await response.text()).slice(1)) as { sid: string };
    return new PollingClient(this, open.sid);
  }

  async openSocket(meta: Partial<InternalRequest> = {}): Promise<SocketClient> {
    const response = await this.fetch({ op: "socket", transport: "websocket", ...meta });
    if (response.webSocket === null) throw new Error(`handshake: ${response.status}`);
    const client = new SocketClient(response.webSocket);
    const open = JSON.parse((await client.text()).slice(1)) as { sid: string };
    client.sid = open.sid;
    return client;
  }
}

/** Less than the time limit of a test, so that a test fails with the name of what it waited for. */
const LONGEST_WAIT_MS = 8_000;

/** A client that polls by hand, through the Worker. */
export class PollingClient {
  readonly object: TestObject;
  readonly sid: string;

  constructor(object: TestObject, sid: string) {
    this.object = object;
    this.sid = sid;
  }

  request(init: RequestInit = {}, transport = "polling"): Promise<Response> {
    const url = `https://example.com${this.object.path}?EIO=4&transport=${transport}&sid=${this.sid}`;
    const answer = Promise.resolve(this.object.app.request(url, init, env));
    return within(answer, `answer to ${init.method ?? "GET"} over ${transport}`, LONGEST_WAIT_MS);
  }

  /** Polls, and returns the payload, or the status and text of a refusal. */
  async poll(init: RequestInit = {}): Promise<string> {
    const response = await this.request(init);
    const body = await response.text();
    return response.status === 200 ? body : `${response.status} ${body}`.trimEnd();
  }

  /** Polls, and resolves when the poll waits in the object. */
  async park(): Promise<ParkedPoll> {
    const abort = new AbortController();
    const payload = this.poll({ signal: abort.signal });
    // A test that needs the answer awaits it.
    payload.catch(() => {});
    await this.parked();
    return { payload, abort: () => abort.abort() };
  }

  /** Resolves when exactly one poll of this client waits in the object. */
  async parked(): Promise<void> {
    await until(() =>
      this.object.run(
        (_, ctx) =>
          ctx.getWebSockets(`p:${this.sid}`).filter((socket) => socket.readyState === WebSocket.OPEN)
            .length === 1,
      ),
    );
  }

  async post(body: string): Promise<string> {
    const response = await this.request({ method: "POST", body });
    return `${response.status} ${await response.text()}`.trimEnd();
  }

  async candidate(): Promise<SocketClient> {
    const response = await this.request({ headers: { upgrade: "websocket" } }, "websocket");
    if (response.webSocket === null) throw new Error(`upgrade: ${response.status} ${await response.text()}`);
    return new SocketClient(response.webSocket);
  }

  async upgrade(): Promise<SocketClient> {
    const client = await this.candidate();
    client.socket.send("2probe");
    await client.expect("3probe");
    client.socket.send("5");
    await until(() => this.object.run((_, ctx) => isTransport(ctx, this.sid)));
    return client;
  }
}

function isTransport(ctx: DurableObjectState, sid: string): boolean {
  const roles = ctx.getWebSockets(`s:${sid}`).map((it) => it.deserializeAttachment() as SocketRole);
  return roles.some((role) => role?.k === "s" || role?.k === "o");
}

export interface ParkedPoll {
  readonly payload: Promise<string>;
  /** The client disconnects. */
  abort(): void;
}

/** The client's end of a WebSocket. */
export class SocketClient {
  sid = "";
  readonly socket: WebSocket;
  readonly #closed: Promise<number>;
  readonly #received: (string | ArrayBuffer)[] = [];
  #waiting: ((frame: string | ArrayBuffer) => void) | undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    this.#closed = new Promise((resolve) => {
      socket.addEventListener("close", ({ code }) => {
        resolve(code);
        try {
          socket.close();
        } catch {
          // Closed from both sides already.
        }
      });
    });
    socket.addEventListener("message", ({ data }) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting === undefined) this.#received.push(data as string | ArrayBuffer);
      else waiting(data as string | ArrayBuffer);
    });
    socket.accept();
  }

  /** The code with which the server closes the socket. */
  get closed(): Promise<number> {
    return within(this.#closed, "close of the WebSocket", LONGEST_WAIT_MS);
  }

  /** Returns the next frame. `what` says what is expected, in case it does not arrive. */
  next(what = "frame"): Promise<string | ArrayBuffer> {
    const frame = this.#received.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    const came = new Promise<string | ArrayBuffer>((resolve) => {
      this.#waiting = resolve;
    });
    return within(came, `${what} on the WebSocket`, LONGEST_WAIT_MS);
  }

  async text(what?: string): Promise<string> {
    return String(await this.next(what));
  }

  async expect(frame: string): Promise<void> {
    const next = await this.text(`frame "${frame}"`);
    if (next !== frame) throw new Error(`expected ${frame}, got ${next}`);
  }

  /** Sends a message and waits for it to come back. */
  async echo(text: string): Promise<string> {
    this.socket.send(`4${text}`);
    return this.text(`echo of "${text.slice(0, 40)}"`);
  }
}

/** Waits for a condition, at most 5 s. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitFor(
    async () => {
      if (!(await isSo())) throw new Error(`not so: ${isSo}`);
    },
    { timeout: 5_000, interval: 5 },
  );
}
