export type { ClientOptions } from "./clients.ts";
export type { WorkerChoice } from "./configuration.ts";
export type { StoredRow } from "./inside/protocol.ts";
export { type StartOptions, startServer, type TestServer } from "./test-server.ts";
export type { LogEntry } from "./tools.ts";
