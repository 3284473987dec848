import { describe, expect, it, vi } from "vitest";
import { findNamespace } from "../../src/objects/namespace.ts";
import { findObject, hexToBase64Url } from "../../src/objects/sessions/session-id.ts";
import { env, PollingClient, TestObject } from "./support.ts";

const UNKNOWN = '400 {"code":1,"message":"Session ID unknown"}';
const RANDOM = "AAAAAAAAAAAAAAAAAAAAAA";
const idOf = (hex: string) => `${RANDOM}.${hexToBase64Url(hex)}`;

describe("a session id", () => {
  it("leads to the object that made it, through any Worker", async () => {
    const object = new TestObject("routed");
    const client = await object.openPolling();
    expect(client.sid).toMatch(/^[\w-]{22}\.[\w-]{43}$/);
    expect(client.sid).not.toContain("routed");
    expect(await client.post("4hello")).toBe("200 ok");
    expect(await client.poll()).toBe("4hello");
  });

  it("is the random part alone for the object that serves everything by default", async () => {
    const client = await new TestObject("main").openPolling();
    expect(client.sid).toMatch(/^[\w-]{22}$/);
    expect(await client.post("4hello")).toBe("200 ok");
    expect(await client.poll()).toBe("4hello");
  });

  it("of one object is unknown to another", async () => {
    const { sid } = await new TestObject("here").openPolling();
    const elsewhere = await new TestObject("elsewhere").fetch({ op: "poll", sid });
    expect(await elsewhere.text()).toBe('{"code":1,"message":"Session ID unknown"}');
  });

  it.each([
    ["an id that was never created", idOf("ab".repeat(32))],
    ["an object of another class", idOf(env.QUICK.idFromName("main").toString())],
    [
      "an id with a bit changed",
      idOf(
        env.ECHO.idFromName("main")
          .toString()
          .replace(/.$/, (c) => (c === "0" ? "1" : "0")),
      ),
    ],
    ["a name", "AAAA.main"],
    ["nothing behind the dot", "AAAA."],
    ["nothing before the dot", `.${"A".repeat(43)}`],
    ["too much before the dot", `${"A".repeat(129)}.${"A".repeat(43)}`],
    ["two dots", `A.${"A".repeat(21)}.${"A".repeat(21)}`],
    ["a path", "../../main"],
    ["a very long one", "A".repeat(5_000)],
    ["other letters", "é"],
    ["a line feed at the end", `${RANDOM}\n`],
  ])("that contains %s is refused without a call to an object", async (_, sid) => {
    const get = vi.spyOn(env.ECHO, "get");
    try {
      expect(findObject(env.ECHO, sid)).toBeUndefined();
      const client = new PollingClient(new TestObject("main"), encodeURIComponent(sid));
      expect(await client.poll()).toBe(UNKNOWN);
      expect(await client.post("4hello")).toBe(UNKNOWN);
      expect(get).not.toHaveBeenCalled();
    } finally {
      get.mockRestore();
    }
  });
});

describe("a missing binding", () => {
  it("is reported with the configuration to add", () => {
    const source = { binding: "NOBODY", className: "NoObject" };
    expect(() => findNamespace(env, source)).toThrow(
      /there is no Durable Object namespace "NOBODY".*export class NoObject.*\[\[durable_objects\.bindings\]\].*new_sqlite_classes/s,
    );
  });

  it("is not reported when the Worker exports the class", () => {
    const namespace = findNamespace(env, { binding: "NOBODY", className: "EchoObject" });
    const id = namespace.idFromName("main").toString();
    expect(id).toBe(env.ECHO.idFromName("main").toString());
  });
});
