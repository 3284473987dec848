import { describe, expect, it } from "vitest";
import { defineEngine, defineServer } from "../../src/index.ts";
import type { Untyped } from "../../src/shared/untyped.ts";
import { env } from "../objects/support.ts";
import { ACCEPTED_HERE, ACCEPTED_ON_NODE, REFUSED } from "./option-values.ts";

const define = (options: object) => () => (defineServer as Untyped)(options, () => {});
const defineBare = (options: object) => () => (defineEngine as Untyped)(options, () => {});

describe("defineServer accepts", () => {
  // What Node takes is given to the official server in official-options.test.ts.
  it.each([...ACCEPTED_ON_NODE, ...ACCEPTED_HERE])("%s: %o", (name, value) => {
    expect(define({ [name]: value })).not.toThrow();
  });
});

describe("defineServer throws an error that names the option and says what it has to be", () => {
  it.each(REFUSED)("%s: %o", (name, value, rule, text, without) => {
    expect(define({ [name]: value })).toThrow(
      `the option ${name} has to be of this kind: ${rule}; it is the ${text}. Leave it out for ${without}`,
    );
  });

  it.each<[object, string]>([
    [{ dataTtl: { games: 1_000, scores: -1 } }, "the option dataTtl of scores has to be"],
    [{ dataTtl: { games: 0.5 } }, "the option dataTtl of games has to be"],
    [{ connectionStateRecovery: { maxBytes: -1 } }, "the option maxBytes has to be"],
    [
      { connectionStateRecovery: { maxDisconnectionDuration: "2m" } },
      "the string 2m. Leave it out for 120000",
    ],
    [
      { connectionStateRecovery: { maxDisconnectionDuration: Infinity } },
      "the option maxDisconnectionDuration has to be of this kind: number from 0 on (ms), not Infinity",
    ],
    [{ connectionStateRecovery: { skipMiddlewares: "no" } }, "the option skipMiddlewares has to be"],
    [{ shards: 1.5 }, "the option shards takes 1 to 64 objects a region, not 1.5"],
    [{ shards: { mars: 1 } }, "is no location hint"],
  ])("%o", (options, message) => {
    expect(define(options)).toThrow(message);
  });

  it("and so does defineEngine", () => {
    expect(defineBare({ pingTimeout: -1 })).toThrow("the option pingTimeout has to be");
    expect(defineBare({ observe: 1 })).toThrow("the option observe has to be of this kind: function");
  });
});

it("options that are null are served as if they were left out", async () => {
  const names = [...ACCEPTED_ON_NODE, ...ACCEPTED_HERE].map(([name]) => name);
  const nulls = Object.fromEntries(names.map((name) => [name, null]));
  const { app } = defineServer({ ...nulls, bindings: { sessions: "TALK" } }, () => {});
  const headers = { origin: "https://elsewhere.example" };
  const url = "https://example.com/socket.io/?EIO=4&transport=polling";
  const response = await app.request(url, { headers }, env);
  expect(response.status).toBe(200);
  expect([...response.headers.keys()].filter((name) => /cookie|access-control/.test(name))).toEqual([]);
  expect(await response.text()).toMatch(
    /^0\{"sid":"[\w-]+","upgrades":\["websocket"\],"pingInterval":25000,/,
  );
});
