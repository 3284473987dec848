import unsafe from "workerd:unsafe";
import type { SessionObjectClass } from "../../../src/objects/session-object.ts";

/** What a test can learn of an object under attack without waking it. */
export interface Facts {
  /** The rows of each kind, by the name of their table (or `kv`), and the size of the database in bytes. */
  readonly rows: Record<string, number>;
  readonly bytes: number;
  readonly alarm: number | null;
  readonly sockets: number;
  readonly now: number;
}

/** What has happened in this process so far. */
const counts = { instances: 0, alarms: 0, rowsWritten: 0, bytesWritten: 0 };
export type Counts = typeof counts;

let ahead = 0;
let isPatched = false;
const realNow = Date.now;
Date.now = () => realNow() + ahead;

/** The rows that the library writes, in whatever way. */
function countRows(storage: DurableObjectStorage): void {
  if (isPatched) return;
  isPatched = true;
  const kv = Object.getPrototypeOf(storage.kv) as SyncKvStorage;
  const { put, delete: remove } = kv;
  kv.put = function (this: SyncKvStorage, key: string, value: unknown): void {
    counts.rowsWritten++;
    counts.bytesWritten += bytesOf(value);
    put.call(this, key, value);
  };
  kv.delete = function (this: SyncKvStorage, key: string): boolean {
    const existed = remove.call(this, key);
    if (existed) counts.rowsWritten++;
    return existed;
  };
  const sql = Object.getPrototypeOf(storage.sql) as SqlStorage;
  const { exec } = sql;
  sql.exec = function (this: SqlStorage, ...args: Parameters<SqlStorage["exec"]>) {
    const cursor = exec.apply(this, args);
    if (/^\s*(insert|update|delete|replace)/i.test(args[0])) {
      counts.rowsWritten += cursor.rowsWritten;
      for (const value of args.slice(1)) counts.bytesWritten += bytesOf(value);
    }
    return cursor;
  } as SqlStorage["exec"];
}

/** The size of the text and bytes in a value, which is nearly all of a large row. */
function bytesOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
  let total = 0;
  for (const item of Object.values(value)) total += bytesOf(item);
  return total;
}

/** The class with a back door for tests, which does nothing that the runtime could not do at any time. */
export function controlled(Base: SessionObjectClass<unknown>): SessionObjectClass<unknown> {
  return class extends Base {
    /** The context as the runtime provides it; `this.ctx` keeps user code away from what belongs to the library. */
    readonly #raw: DurableObjectState;

    constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
      countRows(ctx.storage);
      super(ctx, env);
      this.#raw = ctx;
      counts.instances++;
    }

    override async alarm(info?: AlarmInvocationInfo): Promise<void> {
      counts.alarms++;
      await super.alarm(info);
    }

    override async fetch(request: Request): Promise<Response> {
      const { pathname, searchParams } = new URL(request.url);
      switch (pathname) {
        case "/red/tick":
          // As in the runtime, an alarm that has run is no longer set.
          await this.#raw.storage.deleteAlarm();
          await this.alarm();
          return Response.json(null);
        case "/red/facts":
          return Response.json(await this.#facts());
        case "/red/alarm":
          return Response.json({ alarm: await this.#raw.storage.getAlarm(), now: Date.now() });
        case "/red/row":
          return Response.json(await this.#fill(searchParams));
        default:
          return super.fetch(request);
      }
    }

    async #facts(): Promise<Facts> {
      const { storage } = this.#raw;
      const rows: Record<string, number> = {};
      // The runtime's own tables are not listed; `kv` is counted through its own interface.
      const tables = storage.sql.exec<{ name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'",
      );
      for (const { name } of tables.toArray()) {
        if (!/^\w+$/.test(name)) continue;
        rows[name] = storage.sql.exec<{ n: number }>(`SELECT count(*) AS n FROM ${name}`).one().n;
      }
      for (const [key] of storage.kv.list()) {
        const kind = `kv ${key.split(":")[0]}`;
        rows[kind] = (rows[kind] ?? 0) + 1;
      }
      const alarm = await storage.getAlarm();
      const sockets = this.#raw.getWebSockets().length;
      return { rows, bytes: storage.sql.databaseSize, alarm, sockets, now: Date.now() };
    }

    /** Writes rows as an earlier version may have left them, as many as asked for, whatever the current bounds are. */
    #fill(params: URLSearchParams): null {
      const prefix = params.get("prefix") ?? "";
      const value = JSON.parse(params.get("value") ?? "null") as Record<string, unknown>;
      const padding = "x".repeat(Number(params.get("bytes")));
      const room = params.get("room");
      for (let i = 0; i < Number(params.get("count")); i++) {
        const sid = `${params.get("from") ?? "0"}${String(i).padStart(21, "0")}`;
        const socket = { id: `socket-${i}`, nsp: "/", at: i + 1, issued: 1, rooms: [`socket-${i}`, room] };
        const record = room === null ? { padding } : { v: 1, sockets: [socket] };
        this.#raw.storage.kv.put(prefix + sid, { ...value, sid, record });
      }
      return null;
    }
  };
}

type Fetch = (...args: unknown[]) => Response | Promise<Response>;

/** The Worker's side of the back door. */
export function withControl(app: { fetch(...args: never[]): Response | Promise<Response> }) {
  return {
    async fetch(
      request: Request,
      env: { SESSIONS: DurableObjectNamespace },
      ctx: unknown,
    ): Promise<Response> {
      const { pathname, searchParams } = new URL(request.url);
      if (!pathname.startsWith("/red/")) return (app.fetch as Fetch)(request, env, ctx);
      const main = env.SESSIONS.get(env.SESSIONS.idFromName(searchParams.get("object") ?? "main"));
      switch (pathname) {
        case "/red/evict":
          try {
            await unsafe.evict(main, { webSockets: searchParams.get("sockets") as "hibernate" | "close" });
            return Response.json(null);
          } catch (error) {
            return new Response(String(error), { status: 500 });
          }
        case "/red/advance":
          ahead += Number(searchParams.get("ms"));
          return Response.json(null);
        case "/red/counts":
          return Response.json(counts);
        case "/red/gc":
          (globalThis as { gc?(): void }).gc?.();
          return Response.json(null);
        default:
          return main.fetch(request);
      }
    },
  };
}
