import type { Attempt } from "./attempt.ts";
import type { LayerHost } from "./definition.ts";
import type { ObjectRuntime } from "./object-runtime.ts";

const ACKS_KEY = "sio_a:";
const ACK_BLOCK = 1_000;

/** What the layer above the sessions sees of the object: nobody, once the try that it was made for has failed. */
export function createLayerHost<Api>(runtime: ObjectRuntime<Api>, attempt: Attempt<Api>): LayerHost {
  return {
    ctx: runtime.ctx,
    engine: attempt.engine,
    get mute() {
      return attempt.mute;
    },
    timers: runtime.timers,
    budget: runtime.budget,
    hibernation: runtime.persists,
    get isFirstRun() {
      return attempt.isFirstRun;
    },
    get isSetUp() {
      return attempt.phase === "done";
    },
    now: () => runtime.now(),
    log: (level, message, error) => runtime.log(level, message, error),
    keepAwake: (promise) => runtime.keepAwake(promise),
    checkHere: (what, nsp) => runtime.here.check(what, nsp),
    ready: async () => {
      if (attempt.phase === "failed") throw new Error("the setup function that made this failed");
      await runtime.ready();
    },
    visitSleeping: (visit) => {
      if (attempt.phase !== "failed") runtime.table.visitRecords(visit);
    },
    session: (sid) => (attempt.phase === "failed" ? undefined : runtime.table.get(sid)?.session),
    sendAsleep: (sid, frames, isVolatile) =>
      attempt.phase !== "failed" && runtime.table.sendAsleep(sid, frames, isVolatile),
    ghost: (sid, handshakeData) => runtime.table.ghost(sid, handshakeData),
    toBinary: (bytes) => runtime.toBinary(bytes),
    nextAckBlock: (nsp) => nextAckBlock(runtime.ctx.storage.kv, nsp),
    recovery: (windowMs, maxBytes) => runtime.openRecovery(windowMs, maxBytes),
  };
}

function nextAckBlock(kv: SyncKvStorage, nsp: string): number {
  const key = ACKS_KEY + nsp;
  const first = kv.get<number>(key) ?? ACK_BLOCK;
  // Clients in other languages hold ids in 32 bits.
  kv.put(key, (first + ACK_BLOCK) % (2 ** 31 - ACK_BLOCK));
  return first;
}
