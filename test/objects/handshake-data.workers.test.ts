import { runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { runtimeOf } from "../../src/objects/session-object.ts";
import { TestObject } from "./support.ts";

/** Makes the current instance one of a deploy that has the option `handshakeData`. */
function deployHandshakeData(object: TestObject): Promise<void> {
  return runInDurableObject(object.stub, (instance) => {
    Object.assign(runtimeOf(instance).platform, { needsHandshakeData: true });
  });
}

it("a handshake of a Worker without handshakeData is refused with 503, and one of a new Worker is accepted", async () => {
  const object = new TestObject("asked of old Workers");
  await deployHandshakeData(object);
  expect((await object.fetch({ op: "open" })).status).toBe(503);
  expect((await object.fetch({ op: "socket", transport: "websocket" })).status).toBe(503);
  expect((await object.fetch({ op: "open", data: "" })).status).toBe(200);
  expect((await object.fetch({ op: "open", data: '{"user":"ann"}' })).status).toBe(200);
});

it("a session that was opened before handshakeData was configured ends at its next request", async () => {
  const object = new TestObject("main");
  const client = await object.openPolling();
  await object.sleep();
  await deployHandshakeData(object);
  object.journal.length = 0;
  expect(await client.post("4hello")).toMatch(/^400 /);
  expect(object.journal).toContain("close transport error");
});
