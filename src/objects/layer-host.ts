import type { LayerHost } from "./definition.ts";
import type { ObjectRuntime } from "./object-runtime.ts";
import type { UserCode } from "./user-code.ts";

const ACKS_KEY = "sio_a:";
const ACK_BLOCK = 1_000;

/** What the layer above the sessions sees of the object. */
export function createLayerHost<Api>(runtime: ObjectRuntime<Api>, userCode: UserCode<Api>): LayerHost {
  return {
    ctx: runtime.ctx,
    engine: runtime.engine,
    mute: userCode.mute,
    hibernation: runtime.persists,
    get isFirstRun() {
      return userCode.isFirstRun;
    },
    get isSetUp() {
      return userCode.isSetUp;
    },
    get setupDone() {
      return userCode.setupDone;
    },
    now: () => runtime.now(),
    log: (level, message, error) => runtime.log(level, message, error),
    keepAwake: (promise) => runtime.keepAwake(promise),
    ready: () => userCode.ready(),
    visitSleeping: (visit) => runtime.table.visitRecords(visit),
    session: (sid) => runtime.table.get(sid)?.session,
    ghost: (sid) => runtime.table.ghost(sid),
    toBinary: (bytes) => runtime.toBinary(bytes),
    nextAckBlock: (nsp) => nextAckBlock(runtime.ctx.storage.kv, nsp),
    recovery: (windowMs) => runtime.openRecovery(windowMs),
  };
}

function nextAckBlock(kv: SyncKvStorage, nsp: string): number {
  const key = ACKS_KEY + nsp;
  const first = kv.get<number>(key) ?? ACK_BLOCK;
  // Clients in other languages hold ids in 32 bits.
  kv.put(key, (first + ACK_BLOCK) % (2 ** 31 - ACK_BLOCK));
  return first;
}
