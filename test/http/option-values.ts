/** A value of an option, as a test names it. */
export type OptionValue = readonly [name: string, value: unknown];
type Refused = readonly [name: string, value: unknown, rule: string, text: string, without: string];

const MANY = ["path", "adapter", "parser", "allowRequest", "generateId", "cors", "cookie"];

/** What Socket.IO on Node takes for these options. */
export const ACCEPTED_ON_NODE: readonly OptionValue[] = [
  ...MANY.flatMap((name): OptionValue[] => [
    [name, null],
    [name, undefined],
  ]),
  ["addTrailingSlash", null],
  ["allowUpgrades", null],
  ["allowEIO3", null],
  ["cleanupEmptyChildNamespaces", null],
  ["connectionStateRecovery", null],
  ["initialPacket", null],
  ["maxHttpBufferSize", null],
  ["maxHttpBufferSize", 1.2 * 1024 * 1024],
  ["maxHttpBufferSize", 0],
  ["maxHttpBufferSize", Infinity],
  ["pingInterval", null],
  ["pingInterval", 25_000.5],
  ["pingInterval", 100 / 3],
  ["pingTimeout", null],
  ["pingTimeout", 0],
  ["pingTimeout", 19_999.9],
  ["upgradeTimeout", 0],
  ["upgradeTimeout", 1.5],
  ["upgradeTimeout", Infinity],
  ["connectTimeout", 0],
  ["connectTimeout", 0.5],
  ["connectTimeout", Infinity],
  ["cors", true],
  ["cors", { origin: "https://example.com" }],
  ["cookie", true],
  ["transports", ["websocket"]],
  ["transports", ["websocket", "webtransport"]],
  ["connectionStateRecovery", {}],
  ["connectionStateRecovery", { maxDisconnectionDuration: 0, skipMiddlewares: null }],
  ["connectionStateRecovery", { maxDisconnectionDuration: 1_000.5 }],
  ["connectionStateRecovery", { maxDisconnectionDuration: Number.MAX_SAFE_INTEGER }],
  ["connectionStateRecovery", { maxDisconnectionDuration: null }],
];

const OWN_LIMITS = [
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
const OWN_OTHERS = [
  "bindings",
  "checkOrigin",
  "handshakeData",
  "hibernation",
  "jurisdiction",
  "locationHint",
  "name",
  "observe",
  "onConnectionError",
  "serveClient",
  "shardBy",
  "shards",
];

/** The same for options that do not exist on Node, and what is accepted here only. */
export const ACCEPTED_HERE: readonly OptionValue[] = [
  ...[...OWN_LIMITS, ...OWN_OTHERS, "dataTtl", "maxAwakeTime"].flatMap((name): OptionValue[] => [
    [name, null],
    [name, undefined],
  ]),
  ...OWN_LIMITS.flatMap((name): OptionValue[] => [
    [name, 0],
    [name, 1e6 / 3],
    [name, Infinity],
  ]),
  ["transports", null],
  ["transports", undefined],
  ["wsEngine", "ws"],
  ["maxAwakeTime", 0],
  ["maxAwakeTime", 0.5],
  ["dataTtl", 1.5],
  ["dataTtl", Infinity],
  ["dataTtl", { users: Infinity, games: 30 * 24 * 60 * 60 * 1_000, scores: undefined, scraps: null }],
  ["connectionStateRecovery", { maxBytes: Infinity }],
];

const ANY = "number from 0 on, or Infinity";
const FINITE = "number from 0 on (ms), not Infinity";
const FINITE_FROM_1 = "number from 1 on (ms), not Infinity";
const ANY_FROM_1 = "number from 1 on, or Infinity";
const NO_NUMBERS: readonly (readonly [value: unknown, text: string])[] = [
  [-1, "number -1"],
  [Number.NaN, "number NaN"],
  [-Infinity, "number -Infinity"],
  ["1000", "string 1000"],
  [true, "boolean true"],
  [{}, "object [object Object]"],
  [10n, "bigint 10"],
  [Symbol("many"), "symbol Symbol(many)"],
  [Object.create(null), "object {}"],
];
const NO_FUNCTIONS: readonly (readonly [value: unknown, text: string])[] = [
  [true, "boolean true"],
  ["yes", "string yes"],
  [{}, "object [object Object]"],
  [Symbol("yes"), "symbol Symbol(yes)"],
  [Object.create(null), "object {}"],
];
const NO_BOOLEANS: readonly (readonly [value: unknown, text: string])[] = [
  ["false", "string false"],
  [0, "number 0"],
  [{}, "object [object Object]"],
];

/** What is refused, with the rule, the value as text, and what comes of leaving the option out. */
export const REFUSED: readonly Refused[] = [
  ...refused(["maxHttpBufferSize", "upgradeTimeout", "connectTimeout", ...OWN_LIMITS], ANY, NO_NUMBERS),
  ...refused(["pingTimeout", "maxAwakeTime"], FINITE, [...NO_NUMBERS, [Infinity, "number Infinity"]]),
  ...refused(["pingInterval"], FINITE_FROM_1, [
    ...NO_NUMBERS,
    [0, "number 0"],
    [0.5, "number 0.5"],
    [Infinity, "number Infinity"],
  ]),
  ...refused(["dataTtl"], ANY_FROM_1, [
    [0, "number 0"],
    [-1, "number -1"],
    [Number.NaN, "number NaN"],
    ["1d", "string 1d"],
    [Symbol("day"), "symbol Symbol(day)"],
  ]),
  ...refused(
    [
      "adapter",
      "allowRequest",
      "generateId",
      "handshakeData",
      "name",
      "observe",
      "onConnectionError",
      "shardBy",
    ],
    "function",
    NO_FUNCTIONS,
  ),
  ...refused(
    [
      "allowUpgrades",
      "allowEIO3",
      "hibernation",
      "addTrailingSlash",
      "checkOrigin",
      "cleanupEmptyChildNamespaces",
    ],
    "boolean",
    NO_BOOLEANS,
  ),
  ["pingInterval", "25000", FINITE_FROM_1, "string 25000", "25000"],
  ["dataTtl", 0, ANY_FROM_1, "number 0", "data that never expires"],
  ["connectionStateRecovery", "yes", "object or boolean", "string yes", "the default"],
  ["transports", "websocket", "object", "string websocket", "polling,websocket"],
  ["transports", [], 'list with "polling" or "websocket"', "object ", "both"],
  ["transports", ["websockets"], 'list with "polling" or "websocket"', "object websockets", "both"],
  ["transports", [Object.create(null)], 'list with "polling" or "websocket"', "object {}", "both"],
  ["cors", "*", "object, function or boolean", "string *", "the default"],
  ["cookie", "io", "object or boolean", "string io", "the default"],
  ["path", /io/, "string", "object /io/", "the default"],
  ["bindings", "SESSIONS", "object", "string SESSIONS", "the default"],
  ["initialPacket", 1, "string or object", "number 1", "the default"],
  ["locationHint", 1, "string", "number 1", "the default"],
  ["jurisdiction", ["eu"], "string", "object eu", "the default"],
  ["parser", "msgpack", "object", "string msgpack", "the default"],
];

function refused(
  names: readonly string[],
  rule: string,
  values: readonly (readonly [unknown, string])[],
): Refused[] {
  return names.flatMap((name) => values.map(([value, text]): Refused => [name, value, rule, text, ""]));
}
