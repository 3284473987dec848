import { describe, expect, it } from "vitest";
import { TalkObject } from "./talk.ts";

/** Records how sockets end, and what their connections create and receive. */
function create(name: string) {
  const notes: string[] = [];
  const object = new TalkObject(`reasons ${name}`, (io) => {
    io.on("connection", (socket) => {
      const { transport } = socket.conn;
      transport.once("close", () => notes.push(`transport close ${transport.name}`));
      transport.on("headers", (headers) => headers.set("x-transport", "1"));
      socket.conn.on("packetCreate", ({ type, options }) => notes.push(`${type} ${options.compress}`));
      socket.on("plain", () => socket.compress(false).emit("plain"));
      socket.on("squeezed", () => io.emit("squeezed"));
      socket.on("all plain", () => io.compress(false).emit("plain"));
      socket.on("said", (text) => notes.push(`said ${text}`));
      socket.on("disconnect", (reason, why) => {
        notes.push(`${reason}: ${why instanceof Error ? why.message : why}`);
      });
    });
  });
  return { object, notes };
}

describe("the description of a close is an Error with a message", () => {
  it.each([
    [
      "a packet for a namespace that was not joined",
      "42/x,[1]",
      "forced close: the client sent a packet of type 2 for a namespace that it has not joined",
    ],
    [
      "a packet that only servers send",
      '44{"message":"x"}',
      "forced close: the client sent a packet of type 4 that has no place there",
    ],
    ["a ping, which only servers send", "2", "transport error: invalid heartbeat direction"],
  ])("after %s", async (_what, packet, expected) => {
    const { object, notes } = create(packet);
    const client = await object.join();
    await client.say(packet);
    await expect.poll(() => notes).toContain(expected);
    expect(notes.at(-1)).toBe("transport close websocket");
  });

  it("after a GET while another one waits, and after a restart", async () => {
    const { object, notes } = create("overlap");
    const client = await object.join("polling");
    const poll = object.fetch({ op: "poll", sid: client.sid });
    await poll;
    await object.fetch({ op: "poll", sid: client.sid });
    expect(notes).toContain("transport error: overlap from client");
  });
});

it.each(["polling", "websocket"] as const)(
  "an event that a DISCONNECT follows is delivered over %s",
  async (transport) => {
    const { object, notes } = create(`last words ${transport}`);
    const client = await object.join(transport);
    notes.length = 0;
    await client.say('42["said","goodbye"]', "41");
    await expect.poll(() => notes).toEqual(["said goodbye", "client namespace disconnect: undefined"]);
  },
);

describe("what Node shows of packets and transports", () => {
  it("is shown: options.compress of packetCreate", async () => {
    const { object, notes } = create("compress");
    const client = await object.join();
    await client.say('42["plain"]', '42["squeezed"]', '42["all plain"]');
    await client.hearUntil('42["plain"]');
    await client.hearUntil('42["plain"]');
    expect(notes).toEqual(["message false", "message true", "message false"]);
  });

  it("is shown: headers of a transport that polls", async () => {
    const { object } = create("headers");
    const client = await object.join("polling");
    const answer = await object.fetch({ op: "post", sid: client.sid }, '42["squeezed"]');
    expect(answer.headers.get("x-transport")).toBe("1");
  });
});
