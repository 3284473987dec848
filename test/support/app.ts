import type { Server, ServerOptions } from "socket.io";

/** Options of one server, the same for every target unless a field says otherwise. */
export interface AppOptions {
  shared?: Partial<ServerOptions>;
  /** Options that only Socket.IO on Node has. */
  official?: Partial<ServerOptions>;
  /** Options that only this project has. */
  edge?: object;
}

/**
 * A module of test/fixtures/apps: one application, written once, and run by Socket.IO on Node and by this project. It
 * is imported on Node and bundled into a Worker, so it imports only types and its neighbours.
 */
export interface App {
  setup(io: Server): void | Promise<void>;
  /** Named sets of options; `start(target, app)` takes "default". */
  variants?: Record<string, AppOptions>;
}

/** A server that listens on the loopback interface of this machine. */
export interface Running {
  readonly target: TargetName;
  /** The origin without a trailing slash, for example `http://127.0.0.1:4000`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The warnings and errors that the runtime has printed since the start. Always empty on Node. */
  readonly complaints: string[];
  /**
   * Puts the object "main" to sleep, or ends its instance with its sockets; for a server over several objects, all of
   * them or one. Does nothing on Node.
   */
  evict(webSockets: "hibernate" | "close", shard?: number): Promise<void>;
  /**
   * Cuts one of several objects off from the others, until each call between them was tried again. Returns how many
   * calls have failed so far, and how many have not.
   */
  cutOff?(shard: number): Promise<{ broken: number; faultless: number }>;
  close(): Promise<void>;
}

export type TargetName = "official" | "edge";

/** The URL of an application module. */
export function appUrl(name: string): URL {
  return new URL(`../fixtures/apps/${name}.ts`, import.meta.url);
}

/** Picks the options of a variant for one target. */
export function optionsFor(app: App, variant: string, target: TargetName): object {
  const found = app.variants?.[variant];
  if (!found && variant !== "default")
    throw new Error(`no variant "${variant}"; add it to the app's variants`);
  return { ...found?.shared, ...(target === "official" ? found?.official : found?.edge) };
}
