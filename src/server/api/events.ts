import type { DefaultEvents } from "../../shared/event-emitter.ts";
import type { Untyped } from "../../shared/untyped.ts";

/**
 * The types by which a server knows its events. An events map gives each event's name the listener's signature; a
 * last parameter that is a function is an acknowledgement. The names are those of Socket.IO's own types.
 */
export interface EventsMap {
  [event: string]: Untyped;
}

/** Any event with any arguments: what holds where no map is given. */
export interface DefaultEventsMap extends DefaultEvents {}

export type EventNames<Map extends EventsMap> = keyof Map & (string | symbol);

export type EventParams<Map extends EventsMap, Ev extends EventNames<Map>> = Parameters<Map[Ev]>;

type Fn = (...args: Untyped[]) => Untyped;

type IsUntyped<T> = 0 extends 1 & T ? true : false;

/** The last element of a tuple; of an array, its element. */
export type Last<T extends readonly unknown[]> = T extends readonly [...unknown[], infer L]
  ? L
  : T extends readonly (infer Element)[]
    ? Element
    : never;

export type AllButLast<T extends unknown[]> = T extends [...infer Head, unknown] ? Head : Untyped[];

/** An acknowledgement's value: its first argument that is not the error of a timeout. */
export type FirstNonErrorArg<T> = T extends (...args: infer Args) => unknown
  ? Args[0] extends Error
    ? Args[1]
    : Args[0]
  : Untyped;

type AckOf<Map extends EventsMap, Ev extends EventNames<Map>> = Last<Parameters<Map[Ev]>>;

/** "untyped": nothing is known, so anything goes. */
type AckKind<Map extends EventsMap, Ev extends EventNames<Map>> =
  IsUntyped<Map[Ev]> extends true
    ? "untyped"
    : Parameters<Map[Ev]> extends never[]
      ? "none"
      : IsUntyped<AckOf<Map, Ev>> extends true
        ? "untyped"
        : AckOf<Map, Ev> extends Fn
          ? Parameters<AckOf<Map, Ev>>[0] extends Error
            ? "with error"
            : "plain"
          : "none";

/** Events whose last parameter is an acknowledgement. */
export type EventNamesWithAck<Map extends EventsMap> = {
  [Ev in EventNames<Map>]: AckKind<Map, Ev> extends "none" ? never : Ev;
}[EventNames<Map>];

/** Events without an acknowledgement. */
export type EventNamesWithoutAck<Map extends EventsMap> = {
  [Ev in EventNames<Map>]: AckKind<Map, Ev> extends "none" | "untyped" ? Ev : never;
}[EventNames<Map>];

/** Events whose acknowledgement can report a timeout. */
export type EventNamesWithError<Map extends EventsMap> = {
  [Ev in EventNames<Map>]: AckKind<Map, Ev> extends "with error" | "untyped" ? Ev : never;
}[EventNames<Map>];

export type RemoveAcknowledgements<Map extends EventsMap> = { [Ev in EventNamesWithoutAck<Map>]: Map[Ev] };

type WithError<Args extends unknown[]> = {
  [I in keyof Args]: Args[I] extends (...args: infer Params) => infer Result
    ? Params[0] extends Error
      ? Args[I]
      : (err: Error, ...args: Params) => Result
    : Args[I];
};

type Arrays<T extends unknown[]> = { [I in keyof T]: T[I][] };

/** The first element with its label; nothing of an empty tuple. */
type Head<T extends unknown[]> = T extends [unknown, ...infer Rest]
  ? T extends [...infer First, ...Rest]
    ? First
    : never
  : [];

type WithResponses<Args extends unknown[]> = {
  [I in keyof Args]: Args[I] extends (...args: infer Params) => infer Result
    ? Params extends [Error]
      ? (err: Error) => Result
      : Params extends [Error, ...infer Rest]
        ? (err: Error, ...args: Head<Arrays<Rest>>) => Result
        : Params extends []
          ? () => Result
          : (...args: Head<Arrays<Params>>) => Result
    : Args[I];
};

/** `timeout()`: an acknowledgement begins with the error. */
export type DecorateAcknowledgements<E> = {
  [Ev in keyof E]: E[Ev] extends (...args: infer Params) => infer Result
    ? (...args: WithError<Params>) => Result
    : E[Ev];
};

/** A broadcast: an acknowledgement gets one answer a client. */
export type DecorateAcknowledgementsWithMultipleResponses<E> = {
  [Ev in keyof E]: E[Ev] extends (...args: infer Params) => infer Result
    ? (...args: WithResponses<Params>) => Result
    : E[Ev];
};

export type DecorateAcknowledgementsWithTimeoutAndMultipleResponses<E> = {
  [Ev in keyof E]: E[Ev] extends (...args: infer Params) => infer Result
    ? (...args: WithResponses<WithError<Params>>) => Result
    : E[Ev];
};

/** An event with its arguments, as `socket.use` sees it. */
export type Event = [string, ...Untyped[]];
