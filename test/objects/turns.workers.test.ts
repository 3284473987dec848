import { afterEach, describe, expect, it, vi } from "vitest";
import type { Server } from "../../src/server/index.ts";
import type { TalkKind } from "./support.ts";
import { PollingTalker, type Talker, TalkObject, type TransportName } from "./talk.ts";

afterEach(() => vi.restoreAllMocks());

/** What an object writes and sends when a client says something, in order, until it sends a certain text. */
async function traceOf(object: TalkObject, client: Talker, packet: string, text = "told"): Promise<string[]> {
  const trace: string[] = [];
  await object.run((_, { storage: { kv } }) => {
    for (const name of ["put", "delete"] as const) {
      const write = kv[name] as (...args: unknown[]) => unknown;
      vi.spyOn(kv, name).mockImplementation(((...args: unknown[]) => {
        trace.push("write");
        return write.apply(kv, args);
      }) as never);
    }
  });
  const { send } = WebSocket.prototype;
  vi.spyOn(WebSocket.prototype, "send").mockImplementation(function (this: WebSocket, data) {
    if (typeof data === "string" && data.includes(text)) trace.push("send");
    return send.call(this, data);
  });
  await client.say(packet);
  await vi.waitFor(() => expect(trace).toContain("send"));
  return trace.slice(0, trace.indexOf("send") + 1);
}

/** The same of a client that emits "count" to an object of its own, and waits for what that brings. */
async function traceOfCount(
  kind: TalkKind,
  transport: TransportName,
  application: (io: Server) => void,
): Promise<string[]> {
  const object = new TalkObject(`turn ${kind} ${transport} ${application}`, application, kind);
  const client = await object.join(transport);
  if (client instanceof PollingTalker) await client.client.park();
  return traceOf(object, client, '42["count"]');
}

/**
 * The runtime holds what is sent until what was written before it is stored. If a turn sent first, a crash could undo
 * what clients were told, and the code that told them would tell them again.
 */
describe.each(["websocket", "polling"] as const)("a turn over %s", (transport) => {
  it("writes before it sends an event that recovery logs", async () => {
    const trace = await traceOfCount("RECOVER", transport, (io) => {
      io.on("connection", (socket) => socket.on("count", () => socket.emit("told")));
    });
    expect(trace[0]).toBe("write");
  });

  it("writes before it sends what follows a change of socket.data that recovery stores", async () => {
    const trace = await traceOfCount("RECOVER", transport, (io) => {
      io.on("connection", (socket) =>
        socket.on("count", () => {
          socket.data.count = 1;
          socket.volatile.emit("told");
        }),
      );
    });
    expect(trace[0]).toBe("write");
  });

  it("writes before it sends what follows a change of io.data", async () => {
    const trace = await traceOfCount("TALK", transport, (io) => {
      io.on("connection", (socket) =>
        socket.on("count", () => {
          io.data.count = 1;
          socket.emit("told");
        }),
      );
    });
    expect(trace[0]).toBe("write");
  });
});

it("writes before a poll is answered with what follows a change of socket.data", async () => {
  const trace = await traceOfCount("TALK", "polling", (io) => {
    io.on("connection", (socket) =>
      socket.on("count", () => {
        socket.emit("told");
        socket.data.count = 1;
      }),
    );
  });
  expect(trace[0]).toBe("write");
});

it.each(["awake", "asleep"])(
  "writes what a client between two polls is to get before a broadcast is acknowledged (its session %s)",
  async (state) => {
    const object = new TalkObject(`turn between polls ${state}`, (io) => {
      io.on("connection", (socket) =>
        socket.on("count", (reply) => {
          socket.broadcast.emit("news");
          reply("told");
        }),
      );
    });
    await object.join("polling");
    const client = await object.join("websocket");
    if (state === "asleep") await object.sleep();
    expect((await traceOf(object, client, '421["count"]'))[0]).toBe("write");
  },
);

it.each(["awake", "asleep"])(
  "writes what a poll has no room for before it answers the poll (its session %s)",
  async (state) => {
    const object = new TalkObject(`turn of 20 packets ${state}`, (io) => {
      io.on("connection", (socket) =>
        socket.on("count", () => {
          for (let i = 0; i < 20; i++) socket.broadcast.emit("told");
        }),
      );
    });
    const polling = await object.join("polling");
    if (!(polling instanceof PollingTalker)) throw new Error("no poll waits");
    await polling.client.park();
    const client = await object.join("websocket");
    if (state === "asleep") await object.sleep();
    expect((await traceOf(object, client, '42["count"]'))[0]).toBe("write");
  },
);

it.each(["awake", "asleep"])(
  "removes what a client could come back with before it is told that it is disconnected (object %s)",
  async (state) => {
    const kick = (io: Server) => {
      io.on("connection", (socket) => socket.on("kick", () => socket.disconnect()));
    };
    const object = new TalkObject(`turn of a kick ${state}`, kick, "RECOVER");
    const client = await object.join("websocket");
    if (state === "asleep") await object.sleep();
    expect((await traceOf(object, client, '42["kick"]', "41"))[0]).toBe("write");
  },
);

it("saves the other sessions when one can neither be saved nor removed", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const object = new TalkObject("turn that fails for one", (io) => {
    io.on("connection", (socket) =>
      socket.on("count", () => {
        for (const { data } of io.sockets.sockets.values()) data.count = "counted";
      }),
    );
  });
  const [bad, good] = [await object.join("polling"), await object.join("polling")];
  await object.run((_, { storage: { kv } }) => {
    for (const name of ["put", "delete"] as const) {
      const write = kv[name] as (...args: unknown[]) => unknown;
      vi.spyOn(kv, name).mockImplementation(((...args: unknown[]) => {
        if (String(args[0]).includes(bad.sid)) throw new Error("the disk fails");
        return write.apply(kv, args);
      }) as never);
    }
  });
  await good.say('42["count"]');
  const rows = [...(await object.rows())].filter(([key]) => key.includes(good.sid));
  expect(JSON.stringify(rows)).toContain("counted");
});

it("writes nothing for a message that changes nothing", async () => {
  const trace = await traceOfCount("TALK", "websocket", (io) => {
    io.on("connection", (socket) => socket.on("count", () => socket.emit("told")));
  });
  expect(trace).toEqual(["send"]);
});
