import { EventEmitter } from "node:events";
import msgpack from "socket.io-msgpack-parser";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Server } from "../../src/server/index.ts";
import { FakeObject, turn } from "./fakes.ts";
import { OfficialObject } from "./official-object.ts";

const echo = (io: Server) => {
  io.of(/.*/);
  io.on("connection", (socket) => {
    socket.on("echo", (...args) => socket.emit("echo", ...args));
    socket.on("ack", (value, ack) => ack(value));
  });
};

describe("a client of Socket.IO v2", () => {
  it("is in the main namespace from the start, under the session's id", async () => {
    const object = new FakeObject(echo);
    const client = await object.connect({ protocol: 3 });
    expect(client.take()).toEqual(["40"]);
    expect(object.io.sockets.sockets.has(client.sid)).toBe(true);
    expect(await client.ask('2["echo",1]', '27["ack",2]')).toEqual(['42["echo",1]', "437[2]"]);
  });

  it("sends its auth as the query of a namespace, which is not part of the name", async () => {
    const object = new FakeObject((io) => {
      io.of("/x").on("connection", (socket) => socket.emit("auth", socket.id, socket.handshake.auth));
    });
    const client = await object.connect({ protocol: 3 });
    client.take();
    expect(await client.ask("0/x?token=abc&__proto__=1,")).toEqual([
      "40/x,",
      `42/x,["auth","/x#${client.sid}",{"token":"abc","__proto__":"1"}]`,
    ]);
  });

  it("may join names that look like hosts, or that are invalid in a URL", async () => {
    const object = new FakeObject((io) => void io.of("//host/x").on("connection", () => {}));
    const client = await object.connect({ protocol: 3 });
    client.take();
    expect(await client.ask("0//,", "0//host/x?a=1,", "0/\\:@,", "0/%,", "0/ ?%=%,")).toEqual([
      '44//,{"message":"Invalid namespace"}',
      "40//host/x,",
      '44//:@,{"message":"Invalid namespace"}',
      '44/%,{"message":"Invalid namespace"}',
      '44/%20,{"message":"Invalid namespace"}',
    ]);
  });

  it("receives the data or the message of a middleware's error without an object around it", async () => {
    const object = new FakeObject((io) => {
      io.of("/message").use((_socket, next) => next(new Error("no")));
      io.of("/data").use((_socket, next) => next(Object.assign(new Error("no"), { data: { why: 1 } })));
    });
    const client = await object.connect({ protocol: 3 });
    client.take();
    expect(await client.ask("0/message", "0/data", "0/nowhere")).toEqual([
      '44/nowhere,{"message":"Invalid namespace"}',
      '44/message,"no"',
      '44/data,{"why":1}',
    ]);
  });

  it("continues after sleep", async () => {
    const object = new FakeObject(echo);
    const client = await object.connect({ protocol: 3 });
    await object.sleep();
    client.take();
    expect(await client.ask('2["echo",1]')).toEqual(['42["echo",1]']);
  });
});

describe("a parser of another package", () => {
  const encoder = new msgpack.Encoder();
  const encode = (packet: object) => (encoder.encode({ nsp: "/", ...packet }) as unknown as Uint8Array[])[0]!;

  function decode(frame: unknown): unknown {
    let decoded: unknown;
    const decoder = new msgpack.Decoder();
    decoder.on("decoded", (packet: unknown) => {
      decoded = packet;
    });
    decoder.add(frame);
    return decoded;
  }

  it("exchanges events, broadcasts and acknowledgements with its own clients", async () => {
    const object = new FakeObject(echo, { options: { parser: msgpack } });
    const client = await object.connect();
    const [connected] = await client.ask(encode({ type: 0 }));
    expect(decode(connected)).toMatchObject({ type: 0, nsp: "/", data: { sid: expect.any(String) } });
    const bytes = new Uint8Array([1, 2]);
    const frames = await client.ask(
      encode({ type: 2, data: ["echo", bytes] }),
      encode({ type: 2, id: 0, data: ["ack", 1] }),
    );
    expect(frames.map(decode)).toEqual([
      { type: 2, nsp: "/", data: ["echo", expect.anything()] },
      { type: 3, nsp: "/", id: 0, data: [1] },
    ]);
    object.io.emit("all");
    expect(client.take().map(decode)).toEqual([{ type: 2, nsp: "/", data: ["all"] }]);
  });

  it("closes the connection for an invalid packet and for a reserved event", async () => {
    const seen: unknown[] = [];
    const object = new FakeObject(
      (io) => {
        io.on("connection", (socket) => void socket.on("disconnect", (reason) => seen.push(reason)));
      },
      { options: { parser: msgpack } },
    );
    const client = await object.connect();
    await client.send(encode({ type: 0 }));
    await client.send(encode({ type: 2, data: ["disconnect", "forged"] }));
    expect([seen, client.isOpen]).toEqual([[], true]);
    await client.send(encode({ type: 9 }));
    expect([seen, client.isOpen]).toEqual([["forced close"], false]);
  });

  it.each(["one by one", "at once, later"])(
    "may emit several packets for a message, %s, as on Node",
    async (how) => {
      class Encoder {
        encode = (packet: object) => [JSON.stringify(packet)];
      }
      class Decoder extends EventEmitter {
        add(message: string): void {
          const emit = () => {
            for (const line of message.split("\n")) this.emit("decoded", JSON.parse(line));
          };
          if (how === "one by one") emit();
          else setImmediate(emit);
        }
      }
      const lines = (...packets: object[]) =>
        packets.map((it) => JSON.stringify({ nsp: "/", ...it })).join("\n");
      const setup = (io: Server) => {
        io.on("connection", (socket) => {
          socket.on("echo", (text) => socket.emit("echo", text));
        });
      };
      const heard = async (object: FakeObject | OfficialObject) => {
        const client = await object.connect();
        await client.send(lines({ type: 0 }));
        await turn();
        await client.send(lines({ type: 2, data: ["echo", 1] }, { type: 2, data: ["echo", 2] }));
        for (let i = 0; i < 3; i++) await turn();
        return client.take().map((it) =>
          JSON.parse(
            String(it)
              .slice(1)
              .replace(/"sid":"[^"]*"/, '"sid":"x"'),
          ),
        );
      };
      const options = { parser: { Encoder, Decoder } as never };
      const official = await heard(new OfficialObject(setup as never, options));
      expect(official.length).toBeGreaterThan(2);
      expect(await heard(new FakeObject(setup, { options }))).toEqual(official);
    },
  );

  describe("that never finishes a packet", () => {
    class Encoder {
      encode = (packet: object) => [JSON.stringify(packet)];
    }
    /** Joins lines until one ends with a full stop. */
    class Decoder extends EventEmitter {
      #text = "";
      add(message: string): void {
        this.#text += message;
        if (!this.#text.endsWith(".")) return;
        const packet = JSON.parse(this.#text.slice(0, -1));
        this.#text = "";
        this.emit("decoded", packet);
      }
    }
    const options = { parser: { Encoder, Decoder } as never };

    afterEach(() => void vi.useRealTimers());

    it("counts with what its decoder keeps until the packet is complete", async () => {
      const object = new FakeObject(echo, { options });
      const client = await object.connect();
      await client.send('{"type":0,"nsp":"/"}.');
      const before = object.budget.total;
      await client.send('{"type":2,"nsp":"/","data":["echo","');
      await client.send("x".repeat(10_000));
      expect(object.budget.total - before).toBeGreaterThan(10_000);
      await client.send('"]}.');
      expect(object.budget.total).toBe(before);
    });

    it("is closed when the connection is silent for too long", async () => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
      const object = new FakeObject(echo, { options });
      const client = await object.connect();
      await client.send('{"type":0,"nsp":"/"}.', '{"type":2');
      expect(client.isOpen).toBe(true);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(client.isOpen).toBe(false);
    });
  });
});
