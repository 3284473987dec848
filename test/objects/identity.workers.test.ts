import { describe, expect, it } from "vitest";
import type { Untyped } from "../../src/shared/untyped.ts";
import { TalkObject } from "./talk.ts";

const bag = (value: unknown) => value as Record<string, Untyped>;

describe.each(["polling", "websocket"] as const)("over %s", (transport) => {
  it("what middlewares put on socket.request and socket.handshake survives sleep", async () => {
    const object = new TalkObject(`identity ${transport}`, (io) => {
      for (const nsp of [io, io.of("/other")]) {
        nsp.use((socket, next) => {
          bag(socket.request).user ??= { name: "ann", visits: 0 };
          socket.handshake.auth.user = { id: socket.handshake.auth.token };
          next();
        });
        nsp.on("connection", (socket) => {
          socket.on("servers", (ack) =>
            ack(socket.conn.server === io.engine, socket.server === io, socket.client.server === io),
          );
          socket.on("visit", (ack) => ack(++bag(socket.request).user.visits));
          socket.on("show", (ack) => {
            const { auth, query, address } = socket.handshake;
            ack(bag(socket.request).user, auth, query.EIO, address === socket.conn.remoteAddress);
          });
        });
      }
    });
    const client = await object.join(transport, { token: 7 });
    const shown = (visits: number) =>
      `43[{"name":"ann","visits":${visits}},{"token":7,"user":{"id":7}},"4",true]`;
    await object.sleep();
    expect(await client.ask("show")).toEqual([shown(0)]);
    expect(await client.ask("servers")).toEqual(["43[true,true,true]"]);
    await client.ask("visit");
    await object.sleep();
    expect(await client.ask("show")).toEqual([shown(1)]);
    // The other namespaces of the connection share the request.
    await client.join("/other", { token: 8 });
    expect(
      await object.act((io) => [...io.of("/other").sockets.values()].map(({ request }) => bag(request).user)),
    ).toEqual([{ name: "ann", visits: 1 }]);
  });

  it("a request that the application discards (`rawSocket.request = null`) breaks nothing", async () => {
    const object = new TalkObject(`let go ${transport}`, (io) => {
      io.engine.on("connection", (rawSocket) => {
        rawSocket.request = null;
      });
      for (const nsp of [io, io.of("/later")])
        nsp.on("connection", (socket) => {
          socket.on("show", (ack) => {
            const { query, url, address, auth } = socket.handshake;
            ack(query.EIO, url.split("?")[0], address === socket.conn.remoteAddress, auth, socket.request);
          });
        });
    });
    const client = await object.join(transport, { a: 1 });
    const shown = '["4","/socket.io/",true,{"a":1},null]';
    expect(await client.ask("show")).toEqual([`43${shown}`]);
    await object.sleep();
    expect(await client.ask("show")).toEqual([`43${shown}`]);
    await object.sleep();
    await client.join("/later", { a: 1 });
    await client.say('42/later,1["show"]');
    expect(await client.hear()).toBe(`43/later,1${shown}`);
  });
});
