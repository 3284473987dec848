import { isThenable } from "../shared/event-emitter.ts";
import { runSafely } from "../shared/run-safely.ts";
import type { CloseReason, EndCode } from "./end-codes.ts";
import type { EngineError, EngineErrorName } from "./errors.ts";
import type { TransportName } from "./state.ts";

/** Why a client was refused: docs/errors.md explains each code. */
export type RefusalCode =
  | EngineErrorName
  /** The setup function has failed, so nobody is served. */
  | "SETUP_FAILED"
  /** The Worker is of another version, or of other options, than the object: a deploy is under way. */
  | "DEPLOYING"
  /** The namespace does not exist, or a bound was reached. */
  | "NAMESPACE_REFUSED"
  /** A middleware of the namespace has refused the client. */
  | "MIDDLEWARE_REFUSED";

/** What became of a client that wanted back what it had: docs/errors.md explains each code. */
export type RecoveryCode = "RECOVERED" | "UNKNOWN" | "INCOMPLETE" | "NOT_BACK";

/** Why a packet was dropped: docs/errors.md explains each code. */
export type DropCode = "VOLATILE" | "SHARD_LOST" | "RECOVERY_BYTES";

/** What has happened, without where and when. */
export type ObservedFact =
  /** A connection was opened. It may join any number of namespaces. */
  | { readonly type: "connect"; readonly transport: TransportName; readonly protocol: 3 | 4 }
  /** A connection has ended. `reason` is what its sockets hear, unless server code has ended it. */
  | {
      readonly type: "disconnect";
      readonly code: EndCode;
      readonly reason: CloseReason;
      readonly transport: TransportName;
      /** How long the connection was open, ms. */
      readonly openMs: number;
    }
  /** A request was refused, or a CONNECT of a namespace. */
  | {
      readonly type: "refusal";
      readonly code: RefusalCode;
      /** The HTTP status of the answer; undefined for a namespace. */
      readonly status?: number;
      /** What the client was told. */
      readonly message?: string;
      /** What was wrong, where more is known than the code says. The client is not told. */
      readonly detail?: string | undefined;
      /** The namespace that has refused the client, which stays connected. */
      readonly nsp?: string;
    }
  /** An upgrade to WebSocket is over. After one that failed, the client goes on polling. */
  | { readonly type: "upgrade"; readonly outcome: "done" | "failed" }
  | {
      readonly type: "recovery";
      readonly code: RecoveryCode;
      readonly nsp: string;
      /** How many packets the client had missed, and was sent. */
      readonly missed: number;
    }
  | { readonly type: "drop"; readonly code: DropCode; readonly nsp?: string }
  /** Something was logged. */
  | {
      readonly type: "error";
      readonly level: "warn" | "error";
      readonly message: string;
      /** What was thrown. It may be anything. */
      readonly error?: unknown;
    }
  /**
   * An object that has clients, or awaits some, is in memory again, after a nap or a restart. Of the time that it was
   * away, `awayMs` is what is known: it was not longer.
   */
  | { readonly type: "wake"; readonly awayMs?: number | undefined };

/** What the option `observe` receives: plain data without secrets, except for `error`. */
export type ObservedEvent = ObservedFact & {
  /** Whether it happened in the Worker or in a Durable Object. */
  readonly where: "worker" | "object";
  /** When it happened, ms since 1970. */
  readonly time: number;
  /** The server that the object belongs to, once the object knows it. */
  readonly name?: string;
  /** Which of the server's objects it is. */
  readonly shard?: string;
};

/** What is told of a session that has ended. */
export function toEndFact(
  { openedAt, state }: { readonly openedAt: number; readonly state: { readonly transport: TransportName } },
  { code, reason }: { readonly code: EndCode; readonly reason: CloseReason },
  now: number,
): ObservedFact {
  return { type: "disconnect", code, reason, transport: state.transport, openMs: now - openedAt };
}

/** What is told of a request that is refused. */
export function toRefusalFact({ id, status, publicMessage, context }: EngineError): ObservedFact {
  const detail = (context.name ?? context.message) as string | undefined;
  return { type: "refusal", code: id, status, message: publicMessage, detail };
}

/** Passes an event on to the option. `wait` keeps the Worker or the object at work until the promise settles. */
export type Observer<Env = unknown> = (
  event: ObservedEvent,
  env: Env,
  wait: (task: Promise<unknown>) => void,
) => void;

/** The option as the library calls it: whatever it throws disturbs nobody, and the first error is logged. */
export function createObserver<Env>(
  observe: ((event: ObservedEvent, env: Env) => unknown) | undefined,
): Observer<Env> | undefined {
  if (observe === undefined) return undefined;
  let hasFailed = false;
  const onError = (error: unknown) => {
    if (!hasFailed) console.error("socket.io-edge: observe failed, which is logged only once", error);
    hasFailed = true;
  };
  return (event, env, wait) => {
    const done = runSafely(() => observe(event, env), onError);
    if (isThenable(done)) wait(Promise.resolve(done).catch(() => {}));
  };
}
