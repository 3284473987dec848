import type { SocketPacket } from "../codec/socket-packet.ts";
import type { Socket as TypedSocket } from "./api.ts";
import { type LooseEmitter, makeEmitter } from "./emitter.ts";
import type { LooseManager } from "./manager.ts";
import { RESERVED } from "./packets.ts";
import type {
  Auth,
  DefaultEventsMap,
  DisconnectDescription,
  DisconnectReason,
  Listener,
  SocketOptions,
} from "./types.ts";

/** Settles an acknowledgement; falsy when its callback cannot take an error. */
type Settle = (error: Error | null, args?: unknown[]) => boolean | undefined;

/** What a socket hears from its Manager, and what it does about a packet of each type. */
interface Hear {
  open(): void;
  error(error: Error): void;
  close(reason: DisconnectReason, description?: DisconnectDescription): void;
  packet(packet: SocketPacket): void;
  0(data?: { sid?: string; pid?: string }): void;
  1(): void;
  2(args?: unknown[], id?: number): void;
  3(args?: unknown[], id?: number): void;
  4(data?: { message?: string; data?: unknown }): void;
}

/** A socket without its types. */
export interface LooseSocket extends LooseEmitter {
  id?: string;
  readonly connected: boolean;
  readonly active: boolean;
  recovered: boolean;
  auth?: Auth;
  receiveBuffer: unknown[][];
  /** Each sends one event. */
  sendBuffer: (() => void)[];
  hear_: Hear;
  connect(): LooseSocket;
  disconnect(): LooseSocket;
}

/** State lives in the variables of the function: these minify to one letter, the fields of a class do not. */
export function createSocket(io: LooseManager, nsp: string, opts: SocketOptions = {}): LooseSocket {
  const catchAll = {} as LooseEmitter;
  const fireAny = makeEmitter(catchAll);
  const acks = new Map<number | undefined, Settle>();
  let flags: { volatile?: boolean; timeout?: number; withError_?: boolean } = {};
  let ids = 0;
  let pid: string | undefined;
  let offset: string | undefined;

  const hear: Hear = {
    open() {
      const { engine } = io;
      const { auth } = self;
      const send = (data?: object) => {
        // An answer that comes after the connection is lost belongs to no connection.
        if (engine === io.engine) deliver(0, { pid, offset, ...data });
      };
      typeof auth === "function" ? auth(send) : send(auth);
    },
    error(error) {
      if (!self.id) fire("connect_error", error);
    },
    close(reason, description) {
      self.id = undefined;
      fire("disconnect", reason, description);
      acks.forEach((settle) => {
        settle(new Error("socket has been disconnected"));
      });
    },
    packet(packet) {
      if (packet.nsp === nsp) hear[packet.type as 2](packet.data as unknown[], packet.id);
    },
    0({ sid, pid: newPid } = {}) {
      if (!sid) return hear.error(new Error("server of v2"));
      self.id = sid;
      self.recovered = !!pid && pid === newPid;
      pid = newPid;
      self.receiveBuffer.splice(0).map(dispatch);
      self.sendBuffer.splice(0).map((transmit) => transmit());
      fire("connect");
    },
    1() {
      io.leave_(self);
      hear.close("io server disconnect");
    },
    2(args = [], id) {
      let { engine } = io;
      if (id != null)
        args.push((...data: unknown[]) => {
          // An answer counts once, and only on the connection that asked.
          if (self.id && engine === io.engine) deliver(3, data, id);
          engine = undefined;
        });
      if (self.id) dispatch(args);
      else self.receiveBuffer.push(args);
    },
    3(args, id) {
      acks.get(id)?.(null, args);
    },
    4({ message, data } = {}) {
      io.leave_(self);
      fire("connect_error", Object.assign(new Error(message), { data }));
    },
  };

  const self = {
    io,
    nsp,
    get connected() {
      return !!self.id;
    },
    recovered: false,
    auth: opts.auth,
    receiveBuffer: [],
    sendBuffer: [],
    hear_: hear,
    get active() {
      return io.active_.has(self);
    },
    get disconnected() {
      return !self.id;
    },
    get volatile() {
      flags.volatile = true;
      return self;
    },
    compress: () => self,
    timeout(timeout: number) {
      flags.timeout = timeout;
      return self;
    },
    connect,
    open: connect,
    disconnect,
    close: disconnect,
    send: (...args: unknown[]) => self.emit("message", ...args),
    emitWithAck: (...args: unknown[]) =>
      new Promise((resolve, reject) => {
        flags.withError_ = true;
        self.emit(...args, (error: unknown, value: unknown) => (error ? reject(error) : resolve(value)));
      }),
  } as unknown as LooseSocket;
  const fire = makeEmitter(self);
  self.emit = (...args) => {
    const { volatile, timeout = opts.ackTimeout, withError_ = timeout != null } = flags;
    const ack = args.at(-1);
    let id: number | undefined;
    let settle: Settle | undefined;
    const transmit = () => {
      fireAny("Outgoing", ...args);
      if (settle) acks.set(id, settle);
      deliver(2, args, id);
    };
    flags = {};
    if (RESERVED.test(args[0] as string)) throw new Error(`${args[0]} is reserved`);
    if (typeof ack === "function") {
      args.pop();
      id = ids++;
      settle = (error, answer = []) => {
        clearTimeout(timer);
        acks.delete(id);
        self.sendBuffer = self.sendBuffer.filter((other) => other !== transmit);
        if (withError_) ack(error, ...answer);
        else if (!error) ack(...answer);
        return withError_;
      };
      const timer =
        timeout == null ? undefined : setTimeout(settle, timeout, new Error("operation has timed out"));
    }
    if (volatile && !(self.id && io.engine!.transport.writable)) settle?.(new Error("dropped"));
    else if (self.id && !io.engine!.isExpired_()) transmit();
    else self.sendBuffer.push(transmit);
    return self;
  };
  for (const name of ["", "Outgoing"])
    Object.assign(self, {
      [`onAny${name}`]: (listener: Listener) => catchAll.on(name, listener) && self,
      [`prependAny${name}`]: (listener: Listener) => catchAll.on(name, listener, true) && self,
      [`offAny${name}`]: (listener?: Listener) => catchAll.off(name, listener) && self,
      [`listenersAny${name}`]: () => catchAll.listeners(name),
    });
  return self;

  function connect(): LooseSocket {
    const { active } = self;
    io.active_.add(self);
    if (!io.isReconnecting_) io.open();
    if (!active && io.engine!.readyState === "open") hear.open();
    return self;
  }

  function disconnect(): LooseSocket {
    const { id } = self;
    if (id) deliver(1);
    io.leave_(self);
    if (id) hear.close("io client disconnect");
    return self;
  }

  /** Sends a packet, or says why it cannot be sent: to its callback, or else in public. */
  function deliver(type: number, data?: unknown, id?: number): void {
    if (!io.engine!.send_(type, nsp, data, id)) return;
    const error = new Error("over maxPayload");
    if (type === 2 && acks.get(id)?.(error)) return;
    console.error(error);
    io.emit("error", error);
  }

  function dispatch(args: unknown[]): void {
    const last = args.at(-1);
    if (pid && typeof last === "string") offset = last;
    fireAny("", ...args);
    fire(...args);
  }
}

/** One namespace of a connection. `io()` and `manager.socket()` make it for you. */
export const Socket = createSocket as unknown as new <Listen = DefaultEventsMap, Emit = Listen>(
  io: unknown,
  nsp: string,
  options?: SocketOptions,
) => TypedSocket<Listen, Emit>;

export type Socket<Listen = DefaultEventsMap, Emit = Listen> = TypedSocket<Listen, Emit>;
