import { describe, expect, it } from "vitest";
import { FakeObject } from "./fakes.ts";

describe("events", () => {
  it("answers CONNECT with the socket's id, and an event reaches its handler and back", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.on("echo", (...args) => socket.emit("echo", ...args));
      });
    });
    const client = await object.connect();
    const [connected] = await client.ask("0");
    expect(connected).toMatch(/^40\{"sid":"[\w-]{20}"\}$/);
    expect(await client.ask('2["echo",1,"two",{"three":[3]}]')).toEqual(['42["echo",1,"two",{"three":[3]}]']);
  });
});
