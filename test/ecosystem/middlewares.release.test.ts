import { createHmac } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { TestServer } from "../../src/testing/index.ts";
import { Project } from "./project.ts";

const LIMIT_MS = 180_000;
const SECRET: string = crypto.randomUUID();

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");

/** A JSON Web Token, signed with HS256. */
function tokenOf(payload: object, secret = SECRET): string {
  const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(payload)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** Both packages as their documentation says, each in a namespace. */
const SOCKETIO_JWT = `
import { authorize } from "@thream/socketio-jwt";
import auth0 from "socketio-jwt";
import { defineServer } from "socket.io-edge";
const server = defineServer({}, (io) => {
  const secret = process.env.JWT_SECRET;
  io.of("/thream").use(authorize({ secret }));
  io.of("/thream").on("connection", (socket) => {
    socket.on("who am I", (answer) => answer(socket.decodedToken.sub));
  });
  io.of("/auth0").use(auth0.authorize({ secret, handshake: true }));
  io.of("/auth0").on("connection", (socket) => {
    socket.on("who am I", (answer) => answer(socket.decoded_token.sub));
  });
});
export class SessionObject extends server.SessionObject {}
export default server.app;
`;

describe("middlewares", () => {
  let project: Project;
  let server: TestServer | undefined;

  beforeAll(async () => {
    project = await Project.with({
      "@thream/socketio-jwt": "^3",
      jose: "^6",
      "rate-limiter-flexible": "^11",
      "socketio-jwt": "^4",
    });
  }, LIMIT_MS);
  afterEach(async () => {
    await server?.stop();
    server = undefined;
  });
  afterAll(() => project?.remove());

  const expired = () => ({ sub: "ann", exp: Math.floor(Date.now() / 1000) - 60 });

  it(
    "jose: lets in who has a token, and keeps who it is",
    async () => {
      await project.follow("JWT");
      server = await project.start({ vars: { JWT_SECRET: SECRET } });
      for (const token of [
        undefined,
        "made up",
        tokenOf({ sub: "ann" }, "another secret"),
        tokenOf(expired()),
      ]) {
        await expect(server.client({ auth: { token } })).rejects.toThrow("log in first");
      }
      const ann = await server.client({ auth: { token: tokenOf({ sub: "ann" }) } });
      expect(await ann.emitWithAck("who am I")).toBe("ann");
      await server.nap();
      expect(await ann.emitWithAck("who am I")).toBe("ann");
    },
    LIMIT_MS,
  );

  it(
    "socketio-jwt: both packages of that name let in who has a token",
    async () => {
      await project.write("src/worker.js", SOCKETIO_JWT);
      const it = await project.start({ vars: { JWT_SECRET: SECRET } });
      server = it;
      const join = {
        "/thream": (token: string) => it.client({ namespace: "/thream", auth: { token: `Bearer ${token}` } }),
        "/auth0": (token: string) => it.client({ namespace: "/auth0", query: { token } }),
      };
      for (const connect of Object.values(join)) {
        for (const token of [tokenOf({ sub: "ann" }, "another secret"), tokenOf(expired())]) {
          await expect(connect(token)).rejects.toThrow();
        }
        const ann = await connect(tokenOf({ sub: "ann" }));
        expect(await ann.emitWithAck("who am I")).toBe("ann");
        await it.nap();
        expect(await ann.emitWithAck("who am I")).toBe("ann");
      }
    },
    LIMIT_MS,
  );

  it(
    "rate-limiter-flexible: limits by memory, and by what survives naps and restarts",
    async () => {
      await project.follow("Rate limits");
      server = await project.start();
      const ann = await server.client({ transports: ["polling"] });
      const answers = async (event: string, times: number): Promise<unknown[]> => {
        const all: unknown[] = [];
        for (let i = 0; i < times; i++) all.push(await ann.emitWithAck(event, "guess"));
        return all;
      };
      expect(await answers("message", 12)).toEqual([...Array(10).fill("ok"), "slow down", "slow down"]);
      expect(await answers("log in", 2)).toEqual(["wrong", "wrong"]);
      await server.nap();
      expect(await answers("log in", 1)).toEqual(["wrong"]);
      await server.restart();
      expect(await answers("log in", 2)).toEqual(["try again in an hour", "try again in an hour"]);
      expect(await answers("message", 1)).toEqual(["ok"]);
    },
    LIMIT_MS,
  );
});
