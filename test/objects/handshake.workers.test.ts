import { expect, it } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import { TestObject } from "./support.ts";
import { TalkObject } from "./talk.ts";

/** Makes `engine` generate its ids only when `count` clients have asked for one, and then all at once. */
function makeIdsTogether(engine: Engine, count: number, makeId: () => string): void {
  let asked = 0;
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  engine.generateId = async () => {
    asked++;
    if (asked === count) release();
    await gate;
    return makeId();
  };
}

const statuses = (responses: Response[]) => responses.map(({ status }) => status).sort();

it("one id is given to one session only, even when two handshakes ask for it at the same moment", async () => {
  const object = new TalkObject("one id", (io) => makeIdsTogether(io.engine, 3, () => "same"));
  const opened = await Promise.all([1, 2, 3].map(() => object.fetch({ op: "open" })));
  expect(statuses(opened)).toEqual([200, 400, 400]);
  expect(await object.act((io) => io.engine.clientsCount)).toBe(1);
});

it("no more than maxSessions are accepted, even when all handshakes arrive at the same moment", async () => {
  const object = new TestObject("full", "SMALL");
  await object.run(({ engine }) => makeIdsTogether(engine, 4, () => crypto.randomUUID()));
  const opened = await Promise.all([1, 2, 3, 4].map(() => object.fetch({ op: "open" })));
  expect(statuses(opened)).toEqual([200, 200, 403, 403]);
  expect(await object.run(({ engine }) => engine.clientsCount)).toBe(2);
});
