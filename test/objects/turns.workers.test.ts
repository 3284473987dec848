import { afterEach, describe, expect, it, vi } from "vitest";
import type { Server } from "../../src/server/index.ts";
import type { TalkKind } from "./support.ts";
import { PollingTalker, TalkObject, type TransportName } from "./talk.ts";

afterEach(() => vi.restoreAllMocks());

/** What its object writes and sends while a client emits "count", in order, without what comes after the first send. */
async function traceOf(
  kind: TalkKind,
  transport: TransportName,
  count: (io: Server) => void,
): Promise<string[]> {
  const object = new TalkObject(`turn ${kind} ${transport} ${count}`, count, kind);
  const client = await object.connect(transport);
  await client.join("/");
  if (client instanceof PollingTalker) await client.client.park();
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
    if (typeof data === "string" && data.includes("told")) trace.push("send");
    return send.call(this, data);
  });
  await client.say('42["count"]');
  await vi.waitFor(() => expect(trace).toContain("send"));
  return trace.slice(0, trace.indexOf("send") + 1);
}

/**
 * The runtime holds what is sent until what was written before it is stored. If a turn sent first, a crash could undo
 * what clients were told, and the code that told them would tell them again.
 */
describe.each(["websocket", "polling"] as const)("a turn over %s", (transport) => {
  it("writes before it sends an event that recovery logs", async () => {
    const trace = await traceOf("RECOVER", transport, (io) => {
      io.on("connection", (socket) => socket.on("count", () => socket.emit("told")));
    });
    expect(trace[0]).toBe("write");
  });

  it("writes before it sends what follows a change of socket.data that recovery stores", async () => {
    const trace = await traceOf("RECOVER", transport, (io) => {
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
    const trace = await traceOf("TALK", transport, (io) => {
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
  const trace = await traceOf("TALK", "polling", (io) => {
    io.on("connection", (socket) =>
      socket.on("count", () => {
        socket.emit("told");
        socket.data.count = 1;
      }),
    );
  });
  expect(trace[0]).toBe("write");
});

it("writes nothing for a message that changes nothing", async () => {
  const trace = await traceOf("TALK", "websocket", (io) => {
    io.on("connection", (socket) => socket.on("count", () => socket.emit("told")));
  });
  expect(trace).toEqual(["send"]);
});
