import type { Listener } from "./types.ts";

type List = (Listener & { once_?: unknown })[];

/** Calls the listeners of any event, reserved ones too. */
export type Fire = (event?: unknown, ...args: unknown[]) => unknown;

/** The methods without their types: what the objects of this folder are made of. */
export interface LooseEmitter {
  on(event: unknown, listener: unknown, isFirst?: boolean): unknown;
  once(event: unknown, listener: Listener): unknown;
  off(event?: unknown, listener?: unknown): unknown;
  emit(event?: unknown, ...args: unknown[]): unknown;
  listeners(event: unknown): List;
  hasListeners(event: unknown): boolean;
}

/**
 * Gives `self` the methods of an emitter, and returns its `emit`.
 * `first` hears every event before its listeners, as a socket that is made with its Manager does in the original.
 */
export function makeEmitter<Self extends Partial<LooseEmitter>>(self: Self, first?: Fire): Fire {
  const lists = new Map<unknown, List>();
  const listeners = (event: unknown) => lists.get(event) ?? [];
  const fire: Fire = (event, ...args) => {
    first?.(event, ...args);
    // Lists are replaced, never changed, so a listener may add and remove others.
    for (const listener of listeners(event)) listener.apply(self, args);
    return self;
  };
  Object.assign(self, {
    emit: fire,
    listeners,
    hasListeners: (event: unknown) => !!listeners(event)[0],
    on(event: unknown, listener: Listener, isFirst?: boolean) {
      lists.set(event, isFirst ? [listener, ...listeners(event)] : [...listeners(event), listener]);
      return self;
    },
    once(event: unknown, listener: Listener) {
      const wrapper = (...args: unknown[]) => {
        self.off!(event, wrapper);
        listener.apply(self, args);
      };
      wrapper.once_ = listener;
      return self.on!(event, wrapper);
    },
    off(event: unknown, listener?: unknown) {
      if (event == null) lists.clear();
      else
        lists.set(
          event,
          listeners(event).filter((each) => listener && each !== listener && each.once_ !== listener),
        );
      return self;
    },
  });
  return fire;
}
