export type { ClientOptions } from "./clients.ts";
export type { Replacer, Stage } from "./compare/cast.ts";
export { type CompareOptions, compareWithNode, type Step } from "./compare/compare-with-node.ts";
export type { Interruption } from "./compare/difference.ts";
export type { NodeApp, NodeSetup } from "./compare/node-server.ts";
export type { WorkerChoice } from "./configuration.ts";
export type { StoredRow } from "./inside/protocol.ts";
export { type StartOptions, startServer, type TestServer } from "./test-server.ts";
export type { LogEntry } from "./tools.ts";
