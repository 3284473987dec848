import type { SocketPacket } from "../codec/socket-packet.ts";
import type { Manager as TypedManager } from "./api.ts";
import { type LooseEmitter, makeEmitter } from "./emitter.ts";
import { type LooseEngine, openEngine } from "./engine.ts";
import { createSocket, type LooseSocket } from "./socket.ts";
import type { DefaultEventsMap, ManagerOptions, SocketOptions } from "./types.ts";
import { parseTarget } from "./url.ts";

const DEFAULTS = {
  reconnection: true,
  reconnectionAttempts: Infinity,
  reconnectionDelay: 1000,
  reconnectionDelayMax: 5000,
  randomizationFactor: 0.5,
  timeout: 20000 as number | false,
};

/** A Manager without its types. A name with `_` at its end is of this folder alone; the build shortens it. */
export interface LooseManager extends LooseEmitter {
  opts: ManagerOptions;
  engine?: LooseEngine;
  nsps: Record<string, LooseSocket>;
  /** The sockets that are connected or want to be: they hear what the Manager emits. */
  active_: Set<LooseSocket>;
  isReconnecting_?: boolean;
  open(callback?: (error?: Error) => void): LooseManager;
  connect(callback?: (error?: Error) => void): LooseManager;
  socket(nsp: string, options?: SocketOptions): LooseSocket;
  /** Closes the connection for good when no namespace needs it any more. */
  leave_(socket: LooseSocket): void;
}

/** State lives in the variables of the function: these minify to one letter, the fields of a class do not. */
export function createManager(address?: string | ManagerOptions, options?: ManagerOptions): LooseManager {
  const [{ origin }, opts] = parseTarget(address as undefined, options as ManagerOptions & typeof DEFAULTS);
  let attempts = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const self = {
    opts,
    nsps: {},
    active_: new Set(),
    open,
    connect: open,
    socket(nsp, socketOptions) {
      self.nsps[nsp] ??= createSocket(self, nsp, socketOptions);
      if (opts.autoConnect !== false) self.nsps[nsp].connect();
      return self.nsps[nsp];
    },
    leave_(socket) {
      if (!self.active_.delete(socket) || self.active_.size) return;
      const { engine } = self;
      clearTimeout(timer);
      attempts = 0;
      self.engine = self.isReconnecting_ = undefined;
      watch("remove");
      engine!.close();
      emit("close", "forced close");
    },
  } as LooseManager;
  const emit = makeEmitter(self, (event, ...args) => {
    // A copy: who comes back in a listener, or is opened by one, does not hear the same event again.
    for (const { hear_ } of [...self.active_]) hear_[event as "packet"]?.(...(args as [SocketPacket]));
  });
  for (const key in DEFAULTS) {
    opts[key as "timeout"] ??= DEFAULTS[key as "timeout"];
    (self as unknown as Record<string, (value?: unknown) => unknown>)[key] = (value) => {
      if (value == null) return opts[key as "timeout"];
      opts[key as "timeout"] = value as number;
      return self;
    };
  }
  if (opts.autoConnect !== false) open();
  return self;

  function open(callback?: (error?: Error) => void): LooseManager {
    if (/^open/.test(self.engine?.readyState as string)) return self;
    watch("add");
    clearTimeout(timer);
    const engine = openEngine(origin.replace(/^ws/, "http"), opts, (event, reason, description) => {
      const wasReconnecting = self.isReconnecting_;
      // An engine that was left behind has nothing to say any more.
      if (engine !== self.engine) return;
      if (engine.id) emit(event, reason, description);
      else {
        description ??= new Error(reason as string);
        emit("error", description);
      }
      if (event === "open") {
        self.isReconnecting_ = false;
        callback?.();
        if (wasReconnecting) emit("reconnect", attempts);
        attempts = 0;
      } else if (event === "close") {
        self.isReconnecting_ = false;
        if (callback && !engine.id) callback(description as Error);
        else if (opts.reconnection && self.engine)
          if (attempts >= (opts.reconnectionAttempts || Infinity)) {
            attempts = 0;
            emit("reconnect_failed");
          } else {
            const jitter = 1 + opts.randomizationFactor * (Math.random() * 2 - 1);
            const delay = (opts.reconnectionDelay || 1000) * 2 ** attempts++ * jitter;
            self.isReconnecting_ = true;
            timer = setTimeout(attempt, Math.min(delay, opts.reconnectionDelayMax || 5000));
          }
        if (wasReconnecting) emit("reconnect_error", description);
      }
    });
    self.engine = engine;
    return self;
  }

  function attempt(): void {
    self.isReconnecting_ = opts.reconnection;
    if (!self.isReconnecting_) return;
    emit("reconnect_attempt", attempts);
    open();
  }

  /** Follows the page and its network: back at once instead of after a delay or a timeout. */
  function watch(action: "add" | "remove"): void {
    for (const event of ["online", "offline", "visibilitychange"])
      globalThis[`${action}EventListener`]?.(event, onPageEvent);
  }

  function onPageEvent({ type }: Event): void {
    const { engine } = self;
    if (type === "offline") engine!.close_("transport close");
    else if (!globalThis.document?.hidden) {
      if (engine!.readyState === "closed") attempt();
      else engine!.probe_();
    }
  }
}

/** One connection to a server. `io()` makes it for you. */
export const Manager = createManager as unknown as new <Listen = DefaultEventsMap, Emit = Listen>(
  address?: string | ManagerOptions,
  options?: ManagerOptions,
) => TypedManager<Listen, Emit>;

export type Manager<Listen = DefaultEventsMap, Emit = Listen> = TypedManager<Listen, Emit>;
