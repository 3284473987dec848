/**
 * The suites of other clients and of parsers once more, with this project's server over three objects. The numbers of
 * objects and of targets are read when the suites are loaded.
 */
Object.assign(process.env, { TARGETS: "edge", SHARDS: "3" });
await import("./connect-again.test.ts");
await import("./engine-client.test.ts");
await import("./msgpack.test.ts");
await import("./own-parser.test.ts");
await import("./python.test.ts");
await import("./quirks.test.ts");
await import("./version2.test.ts");
await import("../client/interop.test.ts");

export {};
