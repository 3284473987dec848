import { describe, expect, it } from "vitest";
import { defineEngine, defineServer } from "../../src/index.ts";
import type { Untyped } from "../../src/shared/untyped.ts";

const define = (options: object) => () => (defineServer as Untyped)(options, () => {});
const defineBare = (options: object) => () => (defineEngine as Untyped)(options, () => {});

const TIMES = ["pingInterval", "pingTimeout", "upgradeTimeout", "connectTimeout", "maxAwakeTime"];
const LIMITS = [
  "maxHttpBufferSize",
  "maxQueuedBytes",
  "maxHeaderBytes",
  "maxHeldBytes",
  "maxIsolateBytes",
  "maxStoredBytes",
  "maxSessions",
  "maxNamespaces",
  "maxNamespaceLength",
  "maxAuthBytes",
  "maxRooms",
  "maxOwedAcks",
  "maxDataBytes",
];
const NO_NUMBERS = [-1, Number.NaN, 1.5, "1000", true, {}, Number.NEGATIVE_INFINITY, 10n];
const FUNCTIONS = [
  "adapter",
  "allowRequest",
  "generateId",
  "handshakeData",
  "name",
  "observe",
  "onConnectionError",
  "shardBy",
];
const BOOLEANS = [
  "allowUpgrades",
  "allowEIO3",
  "hibernation",
  "addTrailingSlash",
  "checkOrigin",
  "cleanupEmptyChildNamespaces",
];

describe("defineServer throws an error that names the option and says what it has to be", () => {
  it.each(TIMES)("%s: a number of milliseconds", (name) => {
    for (const value of [...NO_NUMBERS, Number.POSITIVE_INFINITY]) {
      expect(define({ [name]: value })).toThrow(
        new RegExp(
          `the option ${name} has to be of this kind: whole number from 1 on \\(ms\\); it is .*Leave it out for \\d`,
        ),
      );
    }
  });

  it.each(LIMITS)("%s: a number", (name) => {
    for (const value of NO_NUMBERS) {
      expect(define({ [name]: value })).toThrow(
        new RegExp(
          `the option ${name} has to be of this kind: whole number from 0 on, or Infinity; it is .*Leave it out for \\d`,
        ),
      );
    }
  });

  it.each(FUNCTIONS)("%s: a function", (name) => {
    for (const value of [true, "yes", {}, null]) {
      expect(define({ [name]: value })).toThrow(
        `the option ${name} has to be of this kind: function; it is the`,
      );
    }
  });

  it.each(BOOLEANS)("%s: true or false", (name) => {
    for (const value of ["false", 0, {}]) {
      expect(define({ [name]: value })).toThrow(
        new RegExp(`the option ${name} has to be of this kind: boolean; it is the`),
      );
    }
  });

  it.each<[object, string]>([
    [
      { pingInterval: "25000" },
      "the option pingInterval has to be of this kind: whole number from 1 on (ms); it is the string 25000. " +
        "Leave it out for 25000",
    ],
    [{ pingInterval: 0 }, "it is the number 0"],
    [
      { dataTtl: "1d" },
      "the option dataTtl of * has to be of this kind: whole number from 1 on (ms); it is the string 1d",
    ],
    [{ dataTtl: 0 }, "it is the number 0. Leave it out for data that never expires"],
    [{ dataTtl: Number.POSITIVE_INFINITY }, "it is the number Infinity"],
    [{ dataTtl: Number.NaN }, "it is the number NaN"],
    [{ dataTtl: { games: 1_000, scores: -1 } }, "the option dataTtl of scores has to be"],
    [{ dataTtl: { games: 0.5 } }, "the option dataTtl of games has to be"],
    [{ connectionStateRecovery: "yes" }, "of this kind: object or boolean; it is the string yes"],
    [{ connectionStateRecovery: { maxBytes: -1 } }, "the option maxBytes has to be"],
    [
      { connectionStateRecovery: { maxDisconnectionDuration: "2m" } },
      "the string 2m. Leave it out for 120000",
    ],
    [{ connectionStateRecovery: { skipMiddlewares: "no" } }, "the option skipMiddlewares has to be"],
    [{ transports: "websocket" }, "the option transports has to be"],
    [{ transports: [] }, 'the option transports has to be of this kind: list with "polling" or "websocket"'],
    [{ transports: ["websockets"] }, "it is the object websockets. Leave it out for both"],
    [
      { cors: "*" },
      "the option cors has to be of this kind: object, function or boolean; it is the string *",
    ],
    [{ cookie: "io" }, "the option cookie has to be of this kind: object or boolean"],
    [{ path: /io/ }, "the option path has to be of this kind: string"],
    [{ bindings: "SESSIONS" }, "the option bindings has to be of this kind: object"],
    [{ initialPacket: 1 }, "the option initialPacket has to be of this kind: string or object"],
    [{ locationHint: 1 }, "the option locationHint has to be of this kind: string"],
    [{ jurisdiction: ["eu"] }, "the option jurisdiction has to be of this kind: string"],
    [{ parser: "msgpack" }, "the option parser has to be of this kind: object"],
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

it("what Node takes for an absent option, and limits without an end, are accepted", () => {
  const unlimited = Object.fromEntries(LIMITS.map((name) => [name, Number.POSITIVE_INFINITY]));
  const absent = Object.fromEntries([...TIMES, ...LIMITS].map((name) => [name, undefined]));
  for (const options of [
    unlimited,
    absent,
    { pingInterval: null, dataTtl: null, transports: null, cors: null, cookie: null },
    {
      connectTimeout: 0,
      dataTtl: { games: undefined },
      connectionStateRecovery: {},
      cors: true,
      allowRequest: undefined,
    },
    { transports: ["websocket", "webtransport"], wsEngine: "ws" },
  ]) {
    expect(define(options)).not.toThrow();
  }
});
