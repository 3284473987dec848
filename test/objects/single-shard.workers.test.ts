import { describe, expect, it, vi } from "vitest";
import { shardOfSocket } from "../../src/objects/placement/socket-code.ts";
import type { Server } from "../../src/server/index.ts";
import { TalkObject as TalkClass } from "../fixtures/worker.ts";
import { TalkObject } from "./talk.ts";

/** All that reaches other shards where there are some. */
async function sayEverything(io: Server): Promise<void> {
  io.emit("all");
  io.to("room").except("nobody").emit("room");
  io.volatile.emit("volatile");
  io.socketsJoin("room");
  io.socketsLeave("room");
  io.in("nobody").disconnectSockets(true);
  io.serverSideEmit("servers", 1);
  expect(await io.serverSideEmitWithAck("servers", 2)).toEqual([]);
  expect(await io.timeout(1_000).to("nobody").emitWithAck("question")).toEqual([]);
  expect(await io.fetchSockets()).toHaveLength(2);
  expect((await io.allSockets()).size).toBe(2);
  expect(await io.sockets.adapter.serverCount()).toBe(1);
  const [remote] = await io.fetchSockets();
  remote!.emit("remote");
}

const hostOf = (io: Server) =>
  (io.sockets as unknown as { _internals: { context: { host: { mesh: unknown } } } })._internals.context.host;

describe("a server of one object", () => {
  it.each(["awake", "sleep", "restart"] as const)(
    "calls no object, has no queue for others, and keeps nothing of any (%s)",
    async (state) => {
      const object = new TalkObject(`single ${state}`, (io) => {
        io.on("connection", (socket) => socket.on("sync", (ack) => ack()));
      });
      const clients = [await object.join("polling"), await object.join("polling")];
      if (state !== "awake") await object[state]();
      const peer = vi.spyOn(TalkClass.prototype, "socketIoPeer");
      await object.act(sayEverything);
      for (const client of clients) await client.ask("sync");
      expect(peer).not.toHaveBeenCalled();
      expect(await object.act((io) => hostOf(io).mesh)).toBeUndefined();
      const rows = [...(await object.rows()).keys()];
      expect(rows.filter((key) => key.startsWith("sio_n:"))).toEqual([]);
      expect((await object.rows()).get("sio_meta")).toMatchObject({ shard: "0", peers: undefined });
    },
  );

  it("gives its sockets ids of random letters, which name no shard", async () => {
    const object = new TalkObject("single ids", () => {});
    const { id } = await object.join();
    expect(id).toMatch(/^[\w-]{20}$/);
    expect(shardOfSocket(id)).toBeUndefined();
  });
});
