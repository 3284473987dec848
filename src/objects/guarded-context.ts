import { withoutProxies } from "../server/state/without-proxies.ts";

/** What the library needs for itself, and what to use instead. */
const GUARDED_STORAGE: Record<string, string> = {
  setAlarm:
    "the object's one alarm drives the heartbeat; use this.schedule(time) and onSchedule() of your class",
  deleteAlarm: "the object's one alarm drives the heartbeat; use this.schedule(undefined)",
  deleteAll: "sessions live in this storage; delete your own keys and tables one by one",
};

const GUARDED_CONTEXT: Record<string, string> = {
  acceptWebSocket: "the object's sockets are those of its sessions; open your own in another object",
  setWebSocketAutoResponse: "the auto-response answers the pongs of Engine.IO; there is one for each object",
};

type Closure = (txn: DurableObjectTransaction) => Promise<unknown>;

/**
 * The object's context for user code, without what would break the sessions. Its methods accept values of sockets
 * (`socket.data.user`), which may be proxies that the platform could not clone.
 */
export function guardContext<Props>(ctx: DurableObjectState<Props>): DurableObjectState<Props> {
  const inner = ctx.storage;
  const storage = guard(inner, GUARDED_STORAGE, {
    kv: guard(inner.kv, {}, {}),
    sql: guard(inner.sql, {}, {}),
    transaction: (closure: Closure) => inner.transaction((txn) => closure(guard(txn, {}, {}))),
  });
  return guard(ctx, GUARDED_CONTEXT, { storage });
}

function guard<T extends object>(target: T, guarded: Record<string, string>, replaced: object): T {
  return new Proxy(target, {
    get(object, key) {
      if (typeof key === "string" && Object.hasOwn(guarded, key)) {
        return () => {
          throw new Error(`${key}() is not available here: ${guarded[key]}`);
        };
      }
      if (Object.hasOwn(replaced, key)) return Reflect.get(replaced, key);
      const value: unknown = Reflect.get(object, key, object);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) =>
        value.apply(
          object,
          args.map((arg) => withoutProxies(arg)),
        );
    },
  });
}
