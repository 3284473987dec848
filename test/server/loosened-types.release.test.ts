import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root, run } from "../package/pack.ts";

/** Ways to loosen a type that users would notice only when it is too late. */
const LOOSENED: readonly [what: string, file: string, from: string | RegExp, to: string][] = [
  [
    "what a listener gets",
    "shared/event-emitter.ts",
    "type Listener<T> = T extends AnyListener ? T : AnyListener;",
    "type Listener<T> = T extends never ? T : AnyListener;",
  ],
  [
    "which events can be heard",
    "shared/event-emitter.ts",
    "export type EventName<Events> = keyof Events & (string | symbol);",
    "export type EventName<Events> = (keyof Events & symbol) | string;",
  ],
  [
    "what socket.emit takes",
    "server/api/socket.ts",
    "...args: EventArgs<EmitEvents, Ev>): boolean",
    "...args: Untyped[]): boolean",
  ],
  [
    "what a broadcast takes",
    "server/api/events.ts",
    "EventNames<Map>> = Parameters<Map[Ev]>;",
    "EventNames<Map>> = Parameters<Map[Ev]> extends never ? never : Untyped[];",
  ],
  [
    "which events of a broadcast may ask for acknowledgements",
    "server/api/events.ts",
    'AckKind<Map, Ev> extends "none" | "untyped" ? Ev : never',
    "Ev",
  ],
  [
    "which events have an acknowledgement",
    "server/api/events.ts",
    'AckKind<Map, Ev> extends "none" ? never : Ev;',
    "Ev;",
  ],
  [
    "the error of a timeout",
    "server/api/events.ts",
    ": (err: Error, ...args: Params) => Result",
    ": (err: Untyped, ...args: Params) => Result",
  ],
  [
    "the answers to a broadcast",
    "server/api/events.ts",
    "{ [I in keyof T]: T[I][] }",
    "{ [I in keyof T]: Untyped }",
  ],
  [
    "the value of an acknowledgement",
    "server/api/events.ts",
    "    ? Args[1]\n    : Args[0]",
    "    ? Untyped\n    : Untyped",
  ],
  ["socket.data", "server/api/socket.ts", "get data(): SocketData", "get data(): Untyped"],
  [
    "the sockets of a namespace",
    "server/api/namespace.ts",
    /readonly sockets: SocketMap<Socket<.*>>;/,
    "readonly sockets: SocketMap<Untyped>;",
  ],
  [
    "the reasons of a disconnect",
    "server/api/socket-types.ts",
    "disconnect: (reason: DisconnectReason",
    "disconnect: (reason: string",
  ],
  ["socket.handshake.data", "server/api/socket-types.ts", /\? Data\s*: Untyped;/, "? Untyped : Untyped;"],
  [
    "what handshakeData may give",
    "http/define-server.ts",
    "options: ServerOptions<HandshakeData<Types>>",
    "options: ServerOptions",
  ],
  ["the server of an object's class", "http/define-server.ts", "readonly io: Io;", "readonly io: Untyped;"],
  [
    "what an emitter takes",
    "http/emitter.ts",
    "...args: EventParams<EmitEvents, Ev>): Promise<void>",
    "...args: Untyped[]): Promise<void>",
  ],
];

describe("the type tests", () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "loosened-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** The errors of the compiler for the type tests when one place of the sources is changed. */
  async function check(
    name: string,
    change?: { file: string; from: string | RegExp; to: string },
  ): Promise<string> {
    const copy = join(folder, name);
    await mkdir(join(copy, "test/server"), { recursive: true });
    await symlink(join(root, "node_modules"), join(copy, "node_modules"));
    await cp(join(root, "src"), join(copy, "src"), { recursive: true });
    await cp(join(root, "test/server/types.test.ts"), join(copy, "test/server/types.test.ts"));
    const config = JSON.parse(await readFile(join(root, "tsconfig.json"), "utf8")) as object;
    await writeFile(join(copy, "tsconfig.json"), JSON.stringify({ ...config, include: ["test"] }));
    if (change !== undefined) {
      const path = join(copy, "src", change.file);
      const source = await readFile(path, "utf8");
      const changed = source.replace(change.from, change.to);
      expect(changed, `${change.file} still has the place to change`).not.toBe(source);
      await writeFile(path, changed);
    }
    return run("tsc", ["--noEmit", "-p", "."], copy).catch((error: Error) => error.message);
  }

  it("pass with the types as they are", async () => {
    expect(await check("unchanged")).toBe("");
  });

  it.each(LOOSENED)("fail when somebody loosens %s", async (what, file, from, to) => {
    expect(await check(what.replaceAll(/\W/g, "-"), { file, from, to })).toContain(
      "test/server/types.test.ts",
    );
  });
});
