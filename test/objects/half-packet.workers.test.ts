import { expect, it } from "vitest";
import { TalkObject } from "./talk.ts";

const HEADER = '452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]';

it("puts a packet together from bodies of their own, although the object is restarted between them", async () => {
  const object = new TalkObject("half packet", (io) => {
    io.on("connection", (socket) => {
      socket.on("echo", (...args) => socket.emit("echo", ...args));
    });
  });
  const client = await object.join("polling");
  /** Ends the instance at once, as a deploy does, whatever it waits for. */
  const restart = () => object.run((_, ctx) => ctx.abort("restarted")).catch(() => {});
  for (const text of ["first", "second"]) {
    for (const part of [HEADER, "bAQ==", "bAg=="]) {
      await client.say(part);
      await restart();
    }
    expect([await client.hear(), await client.hear(), await client.hear()]).toEqual([
      HEADER,
      "bAQ==",
      "bAg==",
    ]);
    await restart();
    await client.say(`42["echo","${text}"]`);
    expect(await client.hear()).toBe(`42["echo","${text}"]`);
  }
});
