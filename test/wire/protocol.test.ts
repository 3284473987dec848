import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { Monitor } from "../support/monitor.ts";
import { joinByWebSocket, pathOf, RawSession, RS } from "../support/raw-session.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { expected, start, targets } from "../support/targets.ts";

/** A fault in a Socket.IO packet; binary frames follow their header. */
type Fault = [what: string, ...frames: (string | Uint8Array)[]];
const bytes = new Uint8Array([1]);

/** Packets that the parser refuses. */
const decodeErrors: Fault[] = [
  ["an empty message", "4"],
  ["an unknown type", "47"],
  ["an unknown type", "49[]"],
  ["a type that is not a digit", "4x"],
  ["a binary event without a count", "45"],
  ["a count without a dash", "451"],
  ["a count that is not a number", "45a-"],
  ["a fractional count", "451.23-"],
  ["a negative count", '45-1-["a"]'],
  ["a count of zero", '450-["a"]'],
  [
    "more than ten attachments",
    `4511-["echo",${Array.from({ length: 11 }, (_, num) => `{"_placeholder":true,"num":${num}}`)}]`,
  ],
  ["text while attachments are missing", '451-["echo",{"_placeholder":true,"num":0}]', '42["echo",1]'],
  ["a binary frame that nothing announced", bytes],
  ["a placeholder without its attachment", '451-["echo",{"_placeholder":true,"num":1}]', bytes],
  ["a negative placeholder", '451-["echo",{"_placeholder":true,"num":-1}]', bytes],
  ["a placeholder that is not a number", '451-["echo",{"_placeholder":true,"num":"0"}]', bytes],
  ["an event that is not an array", '42{"a":1}'],
  ["an empty event", "42[]"],
  ["an event without a name", "42[null]"],
  ["an event with an object for a name", '42[{"a":1}]'],
  ["a reserved event", '42["connect"]'],
  ["a reserved event", '42["connect_error"]'],
  ["a reserved event", '42["disconnect"]'],
  ["a reserved event", '42["disconnecting"]'],
  ["a reserved event", '42["newListener"]'],
  ["a reserved event", '42["removeListener"]'],
  ["broken JSON", '42["echo"'],
  ["an ack that is not an array", '431{"a":1}'],
  ["a negative id", '42-5["echo"]'],
  ["a fractional id", '421.5["echo"]'],
  ["a disconnect with data", '41{"a":1}'],
  ["CONNECT with an array", "40/custom,[]"],
  ["CONNECT with a string", '40/custom,"a"'],
  ["CONNECT with broken JSON", "40/custom,{"],
];

/** Packets that are well-formed and not allowed at that point. */
const violations: Fault[] = [
  ["CONNECT to a namespace that is joined", '42["nothing",1]', "40"],
  ["an event for a namespace that is not joined", '42/custom,["echo",1]'],
  ["an ack for a namespace that is not joined", '43/custom,1["a"]'],
  ["leaving a namespace that is not joined", "41/custom,"],
  ["a CONNECT_ERROR from a client", "44"],
  ["a CONNECT_ERROR from a client", '44{"message":"no"}'],
];

const faults = [...decodeErrors, ...violations];

describe.each(targets)("Socket.IO packets on %s", (target) => {
  let server: Running;
  let monitor: Monitor;
  beforeAll(async () => {
    server = await start(target, "basic");
    monitor = await Monitor.connect(server);
  });
  afterAll(async () => {
    monitor?.close();
    await server?.close();
  });

  it.each(faults)("closes the connection over WebSocket after %s: %s", async (_what, ...frames) => {
    const { socket, open, id } = await joinByWebSocket(server);
    socket.send(...frames);
    expect((await socket.end()).code).toBe(1005);
    expect(await monitor.next("disconnect", id)).toMatchObject({ reason: "forced close" });
    expect(await monitor.next("close", open.sid)).toMatchObject({ reason: "forced close" });
  });

  it.each(faults)("closes the connection over polling after %s: %s", async (_what, ...frames) => {
    const session = await RawSession.join(server);
    const body = frames.map((frame) =>
      typeof frame === "string" ? frame : `b${Buffer.from(frame).toString("base64")}`,
    );
    const reply = await session.post(body.join(RS));
    // The official server notices this after its ok; the README of the protocol asks for 400.
    expect(expected(target, { official: [200], edge: [200, 400] })).toContain(reply.status);
    expect((await session.poll()).body).toBe(`6${RS}1`);
    // A violation disconnects the client at once; after a decode error this waits for the end of the transport.
    const isViolation = violations.some((fault) => fault[1] === frames[0]);
    const reason = isViolation ? "forced server close" : "forced close";
    expect(await monitor.next("disconnect", session.id)).toMatchObject({ reason });
  });

  it("distinguishes forced close and forced server close by whether a poll waits", async () => {
    const session = await RawSession.join(server);
    const poll = session.begin();
    await monitor.parked(session);
    await session.post(`42["nothing",1]${RS}40`);
    expect((await poll.reply).body).toBe("1");
    expect(await monitor.next("disconnect", session.id)).toMatchObject({ reason: "forced close" });
  });

  it.each([
    ["an event", "42"],
    ["an event with an id", "421"],
    ["an ack", "43"],
    ["an ack with an id", "431"],
  ])("closes the connection after %s without data: %s", async (_what, frame) => {
    const { socket, open } = await joinByWebSocket(server);
    socket.send(frame, '421["echo","still here"]');
    if (target === "official") {
      // The official server accepts such a packet, and does nothing with it.
      expect(await socket.nextText("43")).toBe('431["still here"]');
      return socket.cut();
    }
    expect((await socket.end()).code).toBe(1005);
    expect(await monitor.next("close", open.sid)).toMatchObject({ reason: "forced close" });
  });

  it.each([
    ["an ack that is not awaited", '434399["a"]'],
    ["an event of any other name", '42["error"]'],
    ["an event named connection", '42["connection"]'],
    ["an event whose name is a number", "42[1,2]"],
    ["a placeholder outside a binary event", '42["nothing",{"_placeholder":true,"num":0}]'],
  ])("accepts %s: %s", async (what, frame) => {
    const { socket } = await joinByWebSocket(server);
    socket.send(frame, '421["echo","still here"]');
    expect(await socket.nextText("43"), what).toBe('431["still here"]');
    socket.cut();
  });

  it("keeps ids of acknowledgements, however large", async () => {
    const { socket } = await joinByWebSocket(server);
    socket.send('42123456789["echo",1]', '420["echo",2]');
    expect(await socket.nextText("43")).toBe("43123456789[1]");
    expect(await socket.nextText("43")).toBe("430[2]");
    socket.cut();
  });

  it("joins namespaces, with and without a comma, and keeps their packets apart", async () => {
    const { socket } = await joinByWebSocket(server);
    socket.send("40/custom");
    expect(await socket.nextText("40/custom,")).toMatch(/^40\/custom,\{"sid":"[\w-]{20}"\}$/);
    socket.send('42/custom,5["echo","there"]', '425["echo","here"]');
    expect(await socket.next()).toBe('43/custom,5["there"]');
    expect(await socket.next()).toBe('435["here"]');
    socket.cut();
  });

  it("answers CONNECT with the socket's id, which is not the session's", async () => {
    const { open, id, socket } = await joinByWebSocket(server);
    expect(id).toMatch(/^[\w-]{20}$/);
    expect(id).not.toBe(open.sid.slice(0, 20));
    socket.cut();
  });

  it.each(["40/nowhere,", '40/nowhere,{"token":1}', "40/custom?x=1,"])(
    "refuses the unknown namespace of %s and keeps the connection",
    async (frame) => {
      const { socket } = await joinByWebSocket(server);
      socket.send(frame);
      const nsp = frame.slice(2, frame.indexOf(","));
      expect(await socket.nextText("44")).toBe(`44${nsp},{"message":"Invalid namespace"}`);
      socket.send('421["echo","still here"]');
      expect(await socket.nextText("43")).toBe('431["still here"]');
      socket.cut();
    },
  );

  it("refuses what a middleware refuses, with its message and data", async () => {
    const { socket } = await joinByWebSocket(server);
    socket.send("40/guarded,");
    expect(await socket.nextText("44")).toBe('44/guarded,{"message":"not you","data":{"why":"guard"}}');
    socket.send("40/guarded,");
    expect(await socket.nextText("44")).toBe('44/guarded,{"message":"not you","data":{"why":"guard"}}');
    socket.cut();
  });

  it("leaves a namespace on request, keeps the connection, and lets it in again", async () => {
    const { socket, id } = await joinByWebSocket(server);
    socket.send("41");
    expect(await monitor.next("disconnect", id)).toMatchObject({ reason: "client namespace disconnect" });
    socket.send("40");
    const again = JSON.parse((await socket.nextText("40")).slice(2)).sid;
    expect(again).not.toBe(id);
    socket.cut();
  });

  it("closes a connection that sends to a namespace that it has left", async () => {
    const { socket, id } = await joinByWebSocket(server);
    socket.send("41");
    await monitor.next("disconnect", id);
    socket.send('42["echo",1]');
    expect((await socket.end()).code).toBe(1005);
  });

  it("closes a connection that sends to a namespace whose middleware still runs", async () => {
    const { socket } = await joinByWebSocket(server);
    socket.send("40/slow,");
    await monitor.next("middleware");
    socket.send('42/slow,["echo",1]');
    expect((await socket.end()).code).toBe(1005);
    await monitor.ask("release");
  });

  it("decides one CONNECT for a namespace at a time", async () => {
    const { socket } = await joinByWebSocket(server);
    socket.send("40/slow,");
    await monitor.next("middleware");
    socket.send("40/slow,");
    if (target === "official") {
      await monitor.next("middleware");
      await monitor.ask("release");
      expect(await socket.nextText("40/slow,")).toMatch(/^40\/slow,\{/);
      expect(await socket.nextText("40/slow,")).toMatch(/^40\/slow,\{/);
      socket.cut();
    } else {
      // Two sockets in one namespace would leave the first one behind for ever. The second CONNECT is dropped, or is a
      // violation.
      socket.send('421["echo","still here"]');
      const answer = await Promise.race([socket.nextText("43"), socket.closed.then(() => "closed")]).catch(
        () => "closed",
      );
      await monitor.ask("release");
      if (answer !== "closed") {
        expect(await socket.nextText("40/slow,")).toMatch(/^40\/slow,\{/);
        socket.send('422["echo","still here"]');
        expect(await socket.next()).toBe('432["still here"]');
      }
      socket.cut();
    }
  });

  it("closes a connection whose first packet is an event", async () => {
    const socket = await RawSocket.open(server, pathOf({ EIO: "4", transport: "websocket" }));
    await socket.nextText("0");
    socket.send('42["echo",1]');
    expect((await socket.end()).code).toBe(1005);
  });

  it("emits disconnecting with the rooms, then disconnect", async () => {
    const { socket, id } = await joinByWebSocket(server);
    socket.close();
    expect(await monitor.next("disconnecting", id)).toMatchObject({ reason: "transport close", rooms: 1 });
    expect(await monitor.next("disconnect", id)).toMatchObject({ reason: "transport close" });
  });

  it("asks a client for an acknowledgement, and accepts it once", async () => {
    const { socket, id } = await joinByWebSocket(server);
    socket.send('42["ask","how?"]');
    const question = await socket.nextText("42");
    const ackId = /^42(\d+)\["question","how\?"\]$/.exec(question)?.[1];
    expect(ackId).toBeDefined();
    socket.send(`43${ackId}["so",{"and":1}]`, `43${ackId}["again"]`, '421["echo","still here"]');
    expect(await monitor.next("answer", id)).toMatchObject({ answers: ["so", { and: 1 }] });
    expect(await socket.nextText("43")).toBe('431["still here"]');
    socket.cut();
  });

  it("ignores packets that follow a disconnect in the same body", async () => {
    const session = await RawSession.join(server);
    await session.post("41");
    expect(await monitor.next("disconnect", session.id)).toMatchObject({
      reason: "client namespace disconnect",
    });
    expect((await session.post("40")).body).toBe("ok");
    expect(await session.next("40")).toMatch(/^40\{"sid"/);
  });
});
