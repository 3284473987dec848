import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join as pathOf } from "node:path";
import { io, type Socket } from "socket.io-client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { TestServer } from "../../src/testing/index.ts";
import { nextEvent } from "../support/clients.ts";
import { Project } from "./project.ts";

const LIMIT_MS = 180_000;

let project: Project | undefined;
let sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets) socket.close();
  sockets = [];
  await project?.remove();
  project = undefined;
});

/** What the recipe's gateway leaves out. */
const NEWS_GATEWAY = `
import { Inject, Injectable } from "@nestjs/common";
import { SubscribeMessage, WebSocketGateway, WebSocketServer, WsException } from "@nestjs/websockets";

@Injectable()
export class Readers {
  left = [];
}

@WebSocketGateway({ namespace: "news" })
export class NewsGateway {
  @WebSocketServer() namespace;
  constructor(@Inject(Readers) private readers: Readers) {}

  handleDisconnect(socket) {
    this.readers.left.push(socket.id);
    this.namespace.emit("left", this.readers.left);
  }

  @SubscribeMessage("refuse")
  refuse() {
    throw new WsException("not today");
  }
}
`;

describe("NestJS", () => {
  let nest: Project;
  let server: TestServer;
  beforeAll(async () => {
    nest = await Project.with({
      "@nestjs/common": "^12",
      "@nestjs/core": "^12",
      "@nestjs/platform-socket.io": "^12",
      "@nestjs/websockets": "^12",
      "reflect-metadata": "^0.2",
      rxjs: "^7",
    });
    await nest.follow("NestJS");
    await nest.write("src/news.gateway.ts", NEWS_GATEWAY);
    const worker = await readFile(pathOf(nest.folder, "src/worker.ts"), "utf8");
    const withNews = worker.replace(
      "providers: [ChatGateway]",
      "providers: [ChatGateway, NewsGateway, Readers]",
    );
    await nest.write("src/worker.ts", `import { NewsGateway, Readers } from "./news.gateway";\n${withNews}`);
    server = await nest.start();
  }, LIMIT_MS);
  afterAll(() => nest?.remove());

  it(
    "NestJS: a gateway hears, answers and emits",
    async () => {
      const [ann, bob] = [await server.client(), await server.client({ transports: ["polling"] })];
      for (const said of [1, 2, 3]) {
        const heard = nextEvent(bob, "message");
        expect(await ann.emitWithAck("message", `hello ${said}`)).toBe(said);
        expect(await heard).toEqual([`hello ${said}`]);
        await server.nap();
      }
      expect(server.logs).toEqual([]);
    },
    LIMIT_MS,
  );

  it(
    "NestJS: a gateway of a namespace refuses by exceptions, is given providers, and hears of disconnects",
    async () => {
      const [ann, bob] = [
        await server.client({ namespace: "/news" }),
        await server.client({ namespace: "/news" }),
      ];
      await server.nap();
      const refused = nextEvent<[object]>(ann, "exception");
      ann.emit("refuse");
      expect((await refused)[0]).toMatchObject({ status: "error", message: "not today" });
      const { id } = bob;
      const left = nextEvent(ann, "left");
      bob.disconnect();
      expect(await left).toEqual([[id]]);
    },
    LIMIT_MS,
  );
});

/** What the test uses of the official client of Feathers. */
interface FeathersClient {
  configure(transport: unknown): void;
  service(path: string): {
    create(data: object): Promise<object>;
    find(): Promise<object[]>;
    once(event: string, listener: (data: object) => void): void;
  };
}

it(
  "Feathers: the official client calls services and hears their events",
  async () => {
    project = await Project.with({
      "@feathersjs/feathers": "^5",
      "@feathersjs/socketio-client": "^5",
      "@feathersjs/transport-commons": "^5",
    });
    await project.follow("Feathers");
    const server = await project.start();
    const require = createRequire(pathOf(project.folder, "package.json"));
    const { feathers } = require("@feathersjs/feathers") as { feathers: () => FeathersClient };
    const socketio = require("@feathersjs/socketio-client") as (socket: Socket) => unknown;
    const join = (transports: string[], agent: string) => {
      const socket = io(server.url, { transports, forceNew: true, extraHeaders: { "user-agent": agent } });
      sockets.push(socket);
      const app = feathers();
      app.configure(socketio(socket));
      return app.service("messages");
    };
    const [ann, bob] = [join(["websocket"], "ann"), join(["polling"], "bob")];
    const known: object[] = [];
    for (const text of ["awake", "after a nap", "after another"]) {
      expect(await bob.find()).toEqual(known);
      const heard = new Promise((resolve) => bob.once("created", resolve));
      const message = { text, from: "ann" };
      expect(await ann.create({ text })).toEqual(message);
      expect(await heard).toEqual(message);
      known.push(message);
      await server.nap();
    }
    await expect(ann.create(null as never)).rejects.toThrow();
  },
  LIMIT_MS,
);

it("what cannot be installed fails, and is named", async () => {
  const missing = Project.with({ "made-up": "file:./missing.tgz" });
  await expect(missing).rejects.toThrow("npm could not install made-up@file:./missing.tgz");
});
