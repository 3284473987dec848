import { createRequire } from "node:module";
import { join as pathOf } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { type Mode, modeOptions, modes } from "../support/clients.ts";
import { start, targets } from "../support/targets.ts";
import { within } from "../support/within.ts";
import { Project } from "./project.ts";

/** The last release of each minor version since 2.5, and of those before that are still in use. */
const VERSIONS = [
  "1.7.4",
  "2.0.4",
  "2.5.0",
  "3.0.5",
  "3.1.3",
  "4.0.2",
  "4.1.3",
  "4.2.0",
  "4.3.2",
  "4.4.1",
  "4.5.4",
  "4.6.2",
  "4.7.5",
  "4.8.4",
];

const INSTALLATION_MS = 180_000;
const bytes = Buffer.from([0, 1, 127, 128, 255]);

/** What clients of all versions have in common. */
interface AnySocket {
  readonly io: { readonly engine: { readonly transport: { readonly name: string } } };
  once(event: string, listener: (...args: never[]) => void): unknown;
  emit(event: string, ...args: unknown[]): unknown;
  close(): unknown;
}
type Connect = (url: string, options: object) => AnySocket;

const alias = (version: string) => `client-${version}`;

let project: Project;
beforeAll(async () => {
  project = await Project.with(
    Object.fromEntries(VERSIONS.map((version) => [alias(version), `npm:socket.io-client@${version}`])),
  );
}, INSTALLATION_MS);
afterAll(() => project?.remove());

describe.each(targets)("every version of the client on %s", (target) => {
  let server: Running;
  let sockets: AnySocket[] = [];

  beforeAll(async () => {
    server = await start(target, "version2");
  });
  afterEach(() => {
    for (const socket of sockets) socket.close();
    sockets = [];
  });
  afterAll(() => server?.close());

  const next = (socket: AnySocket, event: string): Promise<unknown[]> =>
    within(new Promise((resolve) => socket.once(event, (...args) => resolve(args))), event);

  const ask = (socket: AnySocket, event: string, ...args: unknown[]): Promise<unknown[]> =>
    within(
      new Promise((resolve) => socket.emit(event, ...args, (...answer: unknown[]) => resolve(answer))),
      `answer to ${event}`,
    );

  async function join(version: string, mode: Mode): Promise<AnySocket> {
    const required: unknown = createRequire(pathOf(project.folder, "package.json"))(alias(version));
    const connect = ((required as { io?: Connect }).io ?? required) as Connect;
    const socket = connect(server.url, { forceNew: true, reconnection: false, ...modeOptions(mode) });
    sockets.push(socket);
    await next(socket, "connect");
    const transport = () => socket.io.engine.transport.name;
    await expect.poll(transport, { timeout: 10_000 }).toBe(mode === "polling" ? "polling" : "websocket");
    return socket;
  }

  it("share a room, whatever their versions", async () => {
    const all = await Promise.all(VERSIONS.map((version) => join(version, "default")));
    await server.evict("hibernate");
    for (const socket of all) await ask(socket, "join", "green");
    const [first, ...others] = all;
    await server.evict("hibernate");
    const told = others.map((socket) => next(socket, "told"));
    first?.emit("tell", "green", "hello");
    expect(await Promise.all(told)).toEqual(others.map(() => ["hello"]));
  });

  describe.each(VERSIONS)("socket.io-client %s", (version) => {
    it.each(Object.keys(modes) as Mode[])("talks, asks and is asked over %s", async (mode) => {
      const [ann, bob] = [await join(version, mode), await join(version, mode)];
      await server.evict("hibernate");
      const echoed = next(ann, "echo");
      ann.emit("echo", "zwölf ✓ 😀", { deep: [bytes, null] }, bytes, 1.5);
      expect(await echoed).toEqual(["zwölf ✓ 😀", { deep: [bytes, null] }, bytes, 1.5]);
      await server.evict("hibernate");
      expect(await ask(ann, "sum", 2, 3)).toEqual([5, "sum"]);
      ann.once("question", ((question: Uint8Array, answer: (...args: unknown[]) => void) => {
        answer(question, "yes");
      }) as never);
      expect(await ask(ann, "ask me", bytes)).toEqual([bytes, "yes"]);
      await server.evict("hibernate");
      await ask(bob, "join", "green");
      const told = next(bob, "told");
      ann.emit("tell", "green", "hello");
      expect(await told).toEqual(["hello"]);
      const all = [next(ann, "all"), next(bob, "all")];
      bob.emit("all", bytes);
      expect(await Promise.all(all)).toEqual([[bytes], [bytes]]);
      const left = next(bob, "disconnect");
      bob.emit("leave me");
      expect((await left)[0]).toBe("io server disconnect");
    });
  });
});
