import { once } from "node:events";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Socket } from "socket.io-client";
import { afterEach, describe, expect, it } from "vitest";
import { type StartOptions, startServer, type TestServer } from "../../src/testing/index.ts";
import { root, run } from "./pack.ts";

/** Not among the dev dependencies: 70 packages for one test. */
const EXPRESS = "express@5.2.1";
const SECRET: string = crypto.randomUUID();
const LIMIT = 60_000;

let server: TestServer | undefined;
afterEach(() => server?.stop());

async function start(name: string, options: Partial<StartOptions> = {}): Promise<TestServer> {
  const worker = pathToFileURL(join(root, "examples/recipes", name));
  server = await startServer({ worker, vars: { SECRET }, ...options });
  return server;
}

const next = async (socket: Socket, event: string): Promise<unknown[]> =>
  once(socket as never, event, { signal: AbortSignal.timeout(10_000) });

const pauses = [
  ["awake", async () => {}],
  ["after a nap", (it: TestServer) => it.nap()],
  ["after a restart", (it: TestServer) => it.restart()],
] as const;

describe.each([["polling"], ["websocket"]])("recipes, over %s", (transport) => {
  const transports = [transport];

  it(
    "shared game state: a game continues",
    async () => {
      const it = await start("game-state.ts");
      const [ann, bob] = [await it.client({ transports }), await it.client({ transports })];
      const moves: string[] = [];
      await ann.emitWithAck("join", "g1", "ann");
      for (const [name, pause] of pauses) {
        await pause(it);
        for (const [player, socket] of [
          ["ann", ann],
          ["bob", bob],
        ] as const) {
          expect(await socket.emitWithAck("join", "g1", player), name).toMatchObject({ moves });
        }
        const heard = next(bob, "moved");
        ann.emit("move", "g1", `move ${name}`);
        expect(await heard).toEqual([`move ${name}`]);
        moves.push(`move ${name}`);
      }
      expect(await ann.emitWithAck("join", "g1", "ann")).toEqual({ players: ["ann", "bob"], moves });
    },
    LIMIT,
  );

  it(
    "history: a client that joins receives the last hundred messages",
    async () => {
      const it = await start("history.ts");
      const ann = await it.client({ transports });
      ann.emit("join", "r1", "ann");
      expect(await next(ann, "history")).toEqual([[]]);
      const heard: unknown[] = [];
      ann.on("message", (message) => heard.push(message));
      for (let i = 0; i < 103; i++) ann.emit("message", "r1", `text ${i}`);
      ann.emit("message", "elsewhere", "not sent");
      await expect.poll(() => heard.at(-1)).toEqual({ name: "ann", text: "text 102" });
      expect(heard).toHaveLength(103);
      for (const [name, pause] of pauses) {
        await pause(it);
        const bob = await it.client({ transports });
        bob.emit("join", "r1", "bob");
        const [history] = (await next(bob, "history")) as [{ name: string; text: string }[]];
        expect(history, name).toHaveLength(100);
        expect(history[0]?.name).toBe("ann");
        bob.disconnect();
      }
    },
    LIMIT,
  );

  it(
    "a game loop: runs while clients play, sleeps when none do, and continues from where it was",
    async () => {
      const worker = new URL("../fixtures/crashing-loop.ts", import.meta.url);
      const it = await start("game-loop.ts", { worker, napTimeout: 5_000 });
      const join = (name: string) => it.client({ transports, auth: { name } });
      const ann = await join("ann");
      const worldOf = async (socket: Socket) =>
        (await next(socket, "world"))[0] as { step: number; players: Record<string, { x: number }> };
      ann.emit("speed", 2);
      await expect.poll(async () => (await worldOf(ann)).players.ann?.x).toBeGreaterThan(4);
      await expect.poll(async () => (await worldOf(ann)).step, { timeout: 10_000 }).toBeGreaterThan(25);
      // The kit cannot restart an object that a timer keeps awake.
      await fetch(`${it.url}/crash`);
      const bob = await join("bob");
      const world = await worldOf(bob);
      expect(world.step).toBeGreaterThan(19);
      // Ann comes back, if her connection was lost.
      const names = async () => Object.keys((await worldOf(bob)).players).sort();
      await expect.poll(names, { timeout: 10_000 }).toEqual(["ann", "bob"]);
      ann.disconnect();
      bob.disconnect();
      // It can sleep: the timer is gone.
      await it.nap();
      const cat = await join("cat");
      const later = await worldOf(cat);
      expect(later.step).toBeGreaterThan(world.step);
      expect(Object.keys(later.players)).toEqual(["cat"]);
    },
    LIMIT,
  );

  it(
    "sessions: users log in, return, log out and are kicked",
    async () => {
      const it = await start("sessions.ts");
      const post = (path: string, init: RequestInit = {}) =>
        fetch(it.url + path, { method: "POST", ...init });
      const logIn = async (user: string, password = SECRET) => {
        const answer = await post("/login", { body: JSON.stringify({ user, password }) });
        return [answer.status, answer.headers.get("set-cookie")?.split(";")[0] ?? ""] as const;
      };
      const connect = (cookie: string) => it.client({ transports, extraHeaders: { cookie } });
      const me = async (cookie: string) => fetch(`${it.url}/me`, { headers: { cookie } });

      expect((await logIn("ann", "wrong"))[0]).toBe(401);
      await expect(connect("session=made-up")).rejects.toThrow("log in first");
      const [, cookie] = await logIn("ann");
      const ann = await connect(`theme=dark; ${cookie}`);
      let visits = 0;
      for (const [name, pause] of pauses) {
        await pause(it);
        expect(await ann.emitWithAck("visit"), name).toBe(++visits);
        expect(await (await me(cookie)).json()).toEqual({ user: "ann", visits });
      }
      const [, other] = await logIn("ann");
      const second = await connect(other);

      let left = next(ann, "disconnect");
      expect((await post("/logout", { headers: { cookie } })).status).toBe(204);
      await left;
      expect((await me(cookie)).status).toBe(401);
      await expect(connect(cookie)).rejects.toThrow("log in first");
      expect(await second.emitWithAck("visit")).toBe(1);

      left = next(second, "disconnect");
      expect((await post("/kick/ann")).status).toBe(403);
      const headers = { authorization: `Bearer ${SECRET}` };
      expect((await post("/kick/ann", { headers })).status).toBe(204);
      await left;
      expect((await me(other)).status).toBe(200);
    },
    LIMIT,
  );

  it(
    "presence: the list of users is right, whatever happens in between",
    async () => {
      const it = await start("presence.ts");
      const join = (user: string) => it.client({ transports, auth: { user } });
      const ann = await join("ann");
      expect(await next(ann, "users")).toEqual([["ann"]]);
      for (const [name, pause] of pauses.slice(0, 2)) {
        await pause(it);
        let told = next(ann, "online");
        const bob = await join("bob");
        expect(await told, name).toEqual(["bob"]);
        expect(await next(bob, "users")).toEqual([["ann", "bob"]]);
        const tab = await join("bob");
        tab.disconnect();
        told = next(ann, "offline");
        bob.disconnect();
        expect(await told, name).toEqual(["bob"]);
      }
      await it.restart();
      const cat = await join("cat");
      expect(await next(cat, "users")).toEqual([["ann", "cat"]]);
    },
    LIMIT,
  );

  it(
    "ingest: the posts of a device reach the clients that watch",
    async () => {
      const it = await start("ingest.ts");
      const ann = await it.client({ transports });
      ann.emit("watch", "s1");
      const post = async (body: unknown, secret = SECRET) => {
        const headers = { authorization: `Bearer ${secret}` };
        const init = { method: "POST", headers, body: JSON.stringify(body) };
        return (await fetch(`${it.url}/readings/s1`, init)).status;
      };
      expect([await post({ celsius: 1 }, "wrong"), await post({ celsius: "hot" })]).toEqual([403, 400]);
      for (const [name, pause] of pauses) {
        await pause(it);
        if (name === "after a restart") ann.emit("watch", "s1");
        if (name === "after a restart") await it.nap();
        const heard = next(ann, "reading");
        expect(await post({ celsius: 21 }), name).toBe(202);
        expect(await heard).toEqual([{ sensor: "s1", celsius: 21 }]);
      }
    },
    LIMIT,
  );

  it(
    "environment: variables at the top of a module and in handlers",
    async () => {
      const it = await start("environment.ts", {
        vars: { SECRET, GREETING: "hi" },
        compatibilityFlags: ["nodejs_compat", "enable_request_signal"],
      });
      const ann = await it.client({ transports });
      for (const [name, pause] of pauses) {
        await pause(it);
        expect(await ann.emitWithAck("greet", "ann"), name).toBe("hi, ann");
        expect(await ann.emitWithAck("is secret", SECRET)).toBe(true);
      }
    },
    LIMIT,
  );
});

it(
  "Express routes: they are unchanged, with Socket.IO beside them",
  async () => {
    const folder = await mkdtemp(join(root, "node_modules/.recipe-"));
    try {
      await writeFile(join(folder, "package.json"), '{ "private": true, "type": "module" }');
      await run("npm", ["install", EXPRESS, "--ignore-scripts", "--no-audit", "--no-fund"], folder);
      await cp(join(root, "examples/recipes/express.js"), join(folder, "worker.js"));
      await mkdir(join(folder, "node_modules/socket.io-edge"), { recursive: true });
      await writeFile(
        join(folder, "node_modules/socket.io-edge/package.json"),
        '{ "name": "socket.io-edge", "type": "module", "exports": "./src/index.ts" }',
      );
      await symlink(join(root, "src"), join(folder, "node_modules/socket.io-edge/src"));
      const it = await start("", {
        worker: pathToFileURL(join(folder, "worker.js")),
        compatibilityFlags: ["nodejs_compat", "enable_request_signal"],
      });
      const ann = await it.client();
      for (const [name, pause] of pauses) {
        await pause(it);
        expect(await (await fetch(`${it.url}/health`)).json(), name).toEqual({ ok: true });
        const heard = next(ann, "message");
        const headers = { "content-type": "application/json" };
        const body = JSON.stringify({ text: `news ${name}` });
        expect((await fetch(`${it.url}/announce`, { method: "POST", headers, body })).status).toBe(202);
        expect(await heard).toEqual([`news ${name}`]);
      }
      expect((await fetch(`${it.url}/missing`)).status).toBe(404);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  2 * LIMIT,
);
