import type { DefaultEvents } from "../../shared/event-emitter.ts";
import type { Untyped } from "../../shared/untyped.ts";

/**
 * Events by name, with the signature of their listeners. A function as the last parameter is an acknowledgement. Its
 * values are untyped because an interface of yours that lists functions has to be assignable to it.
 * @example
 * interface ServerEvents extends EventsMap {
 *   news: (title: string) => void;
 *   question: (text: string, callback: (answer: number) => void) => void;
 * }
 */
export interface EventsMap {
  [event: string]: Untyped;
}

/** Any event with any arguments. It is the default where you give no map of events. */
export interface DefaultEventsMap extends DefaultEvents {}

/** The names of the events in a map. */
export type EventNames<Map extends EventsMap> = keyof Map & (string | symbol);

/** The arguments of an event, with the acknowledgement. */
export type EventParams<Map extends EventsMap, Ev extends EventNames<Map>> = Parameters<Map[Ev]>;

/** Any function: a parameter type of `unknown` would exclude functions with parameters. */
type Fn = (...args: Untyped[]) => Untyped;

/** Whether nothing is known of a type, so that it is assignable to all others. */
type IsUntyped<T> = 0 extends 1 & T ? true : false;

/** The last element of a tuple; of an array, its element. */
export type Last<T extends readonly unknown[]> = T extends readonly [...unknown[], infer L]
  ? L
  : T extends readonly (infer Element)[]
    ? Element
    : never;

/** A tuple without its last element. Of an array the elements are unknown, and so untyped as on Node. */
export type AllButLast<T extends unknown[]> = T extends [...infer Head, unknown] ? Head : Untyped[];

/**
 * The value of an acknowledgement: its first argument that is not the error of a timeout; untyped if it is no function.
 */
export type FirstNonErrorArg<T> = T extends (...args: infer Args) => unknown
  ? Args[0] extends Error
    ? Args[1]
    : Args[0]
  : Untyped;

/** The last parameter of an event. */
type AckOf<Map extends EventsMap, Ev extends EventNames<Map>> = Last<Parameters<Map[Ev]>>;

/** What kind of acknowledgement an event has. "untyped": nothing is known of it, so that everything is allowed. */
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

/** The names of events with an acknowledgement. */
export type EventNamesWithAck<Map extends EventsMap> = {
  [Ev in EventNames<Map>]: AckKind<Map, Ev> extends "none" ? never : Ev;
}[EventNames<Map>];

/** The names of events without an acknowledgement. */
export type EventNamesWithoutAck<Map extends EventsMap> = {
  [Ev in EventNames<Map>]: AckKind<Map, Ev> extends "none" | "untyped" ? Ev : never;
}[EventNames<Map>];

/** The names of events whose acknowledgement has an error as its first parameter. */
export type EventNamesWithError<Map extends EventsMap> = {
  [Ev in EventNames<Map>]: AckKind<Map, Ev> extends "with error" | "untyped" ? Ev : never;
}[EventNames<Map>];

/** A map without the events that have an acknowledgement: a broadcast needs a timeout for these. */
export type RemoveAcknowledgements<Map extends EventsMap> = { [Ev in EventNamesWithoutAck<Map>]: Map[Ev] };

/** Puts an error in front of the parameters of each function. */
type WithError<Args extends unknown[]> = {
  [I in keyof Args]: Args[I] extends (...args: infer Params) => infer Result
    ? Params[0] extends Error
      ? Args[I]
      : (err: Error, ...args: Params) => Result
    : Args[I];
};

/** Makes an array of each element. */
type Arrays<T extends unknown[]> = { [I in keyof T]: T[I][] };

/** The first element of a tuple with its label; an empty tuple has none. */
type Head<T extends unknown[]> = T extends [unknown, ...infer Rest]
  ? T extends [...infer First, ...Rest]
    ? First
    : never
  : [];

/** Makes an array of the first value of each function: one answer from each client. */
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

/** After `timeout()`: an acknowledgement gets an error, or null, and then the answer. */
export type DecorateAcknowledgements<E> = {
  [Ev in keyof E]: E[Ev] extends (...args: infer Params) => infer Result
    ? (...args: WithError<Params>) => Result
    : E[Ev];
};

/** Of a broadcast: an acknowledgement gets one answer from each client. */
export type DecorateAcknowledgementsWithMultipleResponses<E> = {
  [Ev in keyof E]: E[Ev] extends (...args: infer Params) => infer Result
    ? (...args: WithResponses<Params>) => Result
    : E[Ev];
};

/** Of `serverSideEmit`: an acknowledgement gets an error, or null, and then one answer from each server. */
export type DecorateAcknowledgementsWithTimeoutAndMultipleResponses<E> = {
  [Ev in keyof E]: E[Ev] extends (...args: infer Params) => infer Result
    ? (...args: WithResponses<WithError<Params>>) => Result
    : E[Ev];
};

/**
 * An event with its arguments, as a middleware of `socket.use` gets it. Clients send the arguments, so they are
 * unchecked.
 */
export type Event = [string, ...Untyped[]];
