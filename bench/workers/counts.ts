import type { SessionObjectClass } from "../../src/objects/session-object.ts";

/** What happened to the objects of this process, in whichever instance. */
const counts = {
  instances: 0,
  fetch: 0,
  message: 0,
  close: 0,
  alarm: 0,
  rowsWritten: 0,
  rowsRead: 0,
  alarmsSet: 0,
  /** Calls of other objects of the server. */
  peers: 0,
};

export type Counts = typeof counts;

let isPatched = false;

/** The same class, with every event and every row counted. */
export function counted(Base: SessionObjectClass<unknown>): SessionObjectClass<unknown> {
  return class extends Base {
    constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
      countRows(ctx.storage);
      super(ctx, env);
      counts.instances++;
    }

    override async fetch(request: Request): Promise<Response> {
      counts.fetch++;
      return super.fetch(request);
    }

    socketIoPeer(call: unknown): unknown {
      counts.peers++;
      return (Base.prototype as unknown as Record<string, (call: unknown) => unknown>).socketIoPeer!.call(
        this,
        call,
      );
    }

    override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
      counts.message++;
      super.webSocketMessage(socket, message);
    }

    override webSocketClose(socket: WebSocket, code: number, reason: string, wasClean: boolean): void {
      counts.close++;
      super.webSocketClose(socket, code, reason, wasClean);
    }

    override async alarm(info?: AlarmInvocationInfo): Promise<void> {
      counts.alarm++;
      await super.alarm(info);
    }
  };
}

/** The Worker's side: `/bench` returns the counts without a call to an object. */
export function withCounts(app: { fetch(...args: never[]): Response | Promise<Response> }) {
  return {
    fetch(request: Request, env: unknown, ctx: unknown): Response | Promise<Response> {
      const { pathname, search } = new URL(request.url);
      if (pathname === "/bench") {
        if (search === "?gc") (globalThis as { gc?(): void }).gc?.();
        return Response.json(counts);
      }
      return (app.fetch as (...args: unknown[]) => Response | Promise<Response>)(request, env, ctx);
    },
  };
}

/**
 * Cloudflare bills a row for each key that is put or deleted, for each alarm that is set, and for what statements
 * write; a key that is read, or found by `list`, is a row read.
 */
function countRows(storage: DurableObjectStorage): void {
  if (isPatched) return;
  isPatched = true;
  const kv = Object.getPrototypeOf(storage.kv) as SyncKvStorage;
  const { get, put, delete: remove, list } = kv;
  kv.get = function <T>(this: SyncKvStorage, key: string): T | undefined {
    counts.rowsRead++;
    return get.call(this, key) as T | undefined;
  };
  kv.put = function (this: SyncKvStorage, key: string, value: unknown): void {
    counts.rowsWritten++;
    put.call(this, key, value);
  };
  kv.delete = function (this: SyncKvStorage, key: string): boolean {
    const existed = remove.call(this, key);
    if (existed) counts.rowsWritten++;
    return existed;
  };
  kv.list = function* <T>(this: SyncKvStorage, options?: SyncKvListOptions): Iterable<[string, T]> {
    for (const entry of list.call(this, options)) {
      counts.rowsRead++;
      yield entry as [string, T];
    }
  };
  const sql = Object.getPrototypeOf(storage.sql) as SqlStorage;
  const { exec } = sql;
  sql.exec = function (this: SqlStorage, ...args: Parameters<SqlStorage["exec"]>) {
    const cursor = exec.apply(this, args);
    // Creating the table writes two rows, once in the life of an object.
    if (!args[0].startsWith("CREATE")) counts.rowsWritten += cursor.rowsWritten;
    counts.rowsRead += cursor.rowsRead;
    return cursor;
  } as SqlStorage["exec"];
  const proto = Object.getPrototypeOf(storage) as DurableObjectStorage;
  const { setAlarm } = proto;
  proto.setAlarm = function (this: DurableObjectStorage, time, options): Promise<void> {
    counts.alarmsSet++;
    counts.rowsWritten++;
    return setAlarm.call(this, time, options);
  };
}
