import { describe, expect, it } from "vitest";
import type { Server } from "../../src/server/index.ts";
import { FakeObject, turn } from "./fakes.ts";
import { OfficialObject } from "./official-object.ts";

const bytes = new Uint8Array([1]);
const tooMany = Array.from({ length: 11 }, (_, num) => ({ _placeholder: true, num }));

/** Packets that the parser refuses, as in `test/wire/protocol.test.ts`. */
const REFUSED: (string | Uint8Array)[][] = [
  ["7"],
  ["9[]"],
  ["x"],
  ["5"],
  ["51"],
  ["5a-"],
  ["51.23-"],
  ['5-1-["a"]'],
  ['50-["a"]'],
  [`511-${JSON.stringify(["echo", ...tooMany])}`],
  ['51-["echo",{"_placeholder":true,"num":0}]', '2["echo",1]'],
  [bytes],
  ['51-["echo",{"_placeholder":true,"num":1}]', bytes],
  ['51-["echo",{"_placeholder":true,"num":"0"}]', bytes],
  ['2{"a":1}'],
  ["2[]"],
  ['2["connect"]'],
  ['2["echo"'],
  ['31{"a":1}'],
  ['2-5["echo"]'],
  ['1{"a":1}'],
  ["0[]"],
];

describe.each(["awake", "asleep"])("listeners of `error`, %s", (state) => {
  it.each(REFUSED)("receive the error message of Node for an invalid packet: %s", async (...messages) => {
    const heard = async (create: (setup: (io: Server) => void) => FakeObject | OfficialObject) => {
      const seen: unknown[] = [];
      const object = create((io) => {
        io.on("connection", (socket) => {
          socket.on("error", (error) => seen.push(error instanceof Error, error.message));
          socket.on("disconnect", (reason) => seen.push(reason));
        });
      });
      const client = await object.connect();
      await client.send("0");
      if (state === "asleep") await object.sleep();
      await client.send(...messages);
      for (let i = 0; i < 3; i++) await turn();
      return [...seen, client.isOpen];
    };
    const official = await heard((setup) => new OfficialObject(setup as never));
    expect(official).toHaveLength(4);
    expect(await heard((setup) => new FakeObject(setup))).toEqual(official);
  });
});
