import { afterAll, beforeAll, expect, it } from "vitest";
import type { EndCode } from "../../src/engine/end-codes.ts";
import type { ObservedEvent } from "../../src/engine/observed.ts";
import type { Running } from "../support/app.ts";
import { bundle, startWorker } from "../support/edge.ts";
import { pathOf, RawSession } from "../support/raw-session.ts";
import { RawSocket } from "../support/raw-socket.ts";

/** A Worker that keeps what it has observed. Worker and object share the module here. */
const WORKER = `
import { Hono } from "hono";
import { defineServer } from "../../src/index.ts";

const seen = [];
const server = defineServer({ observe: (event) => seen.push(event) }, () => {});
let requests = 0;
export class SessionObject extends server.SessionObject {
  fetch(request) {
    requests++;
    return super.fetch(request);
  }
}
const app = new Hono();
app.get("/requests", (c) => c.json(requests));
app.get("/ends", (c) => c.json(seen.splice(0).filter(({ type }) => type === "disconnect")));
app.route("/", server.app);
export default app;
`;

let server: Running;
beforeAll(async () => {
  server = await startWorker(await bundle(WORKER));
});
afterAll(() => server?.close());

/** The codes of the connections that have ended since the last question. */
async function ends(): Promise<string[]> {
  const events = (await (await fetch(`${server.url}/ends`)).json()) as (ObservedEvent & { code: string })[];
  return events.map(({ code }) => code);
}

/** How many requests have reached the object. */
const requests = async () => (await fetch(`${server.url}/requests`)).json();

const openSocket = () => RawSocket.open(server, pathOf({ EIO: "4", transport: "websocket" }));

/** What only a network can do; test/objects/end-codes.workers.test.ts has the other codes. */
it.each<[code: EndCode, provoke: () => Promise<() => Promise<unknown>>, sees: unknown]>([
  [
    "TRANSPORT_LOST",
    async () => {
      const socket = await openSocket();
      await socket.nextText("0");
      socket.cut();
      return async () => (await socket.end()).code;
    },
    1006,
  ],
  [
    "TRANSPORT_ERROR",
    async () => {
      const socket = await openSocket();
      await socket.nextText("0");
      // A frame with an opcode that does not exist.
      (socket.socket as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket.write(
        Uint8Array.of(0x83, 0x80, 0, 0, 0, 0),
      );
      return async () => (await socket.end()).code;
    },
    1002,
  ],
  [
    "DATA_REQUEST_CONNECTION_CLOSED_PREMATURELY",
    async () => {
      const session = await RawSession.start(server);
      const before = await requests();
      const upload = session.upload("4", 100);
      // A client that is gone before the object reads its request ends nothing.
      await expect.poll(requests, { timeout: 10_000 }).not.toBe(before);
      upload.reset();
      return async () => (await session.poll()).body;
    },
    '{"code":1,"message":"Session ID unknown"}',
  ],
])("%s ends a connection", async (code, provoke, sees) => {
  const look = await provoke();
  await expect.poll(ends, { timeout: 10_000 }).toEqual([code]);
  expect(await look()).toEqual(sees);
});
