import type { Container, ContainerListener } from "./container.ts";

const { prototype } = Map;

/**
 * A Map that reports its changes. It is the very Map that user code has assigned, with other methods, so that changes
 * are seen whatever reference they are made by.
 */
export class ObservedMap implements Container {
  readonly kind = "map";
  readonly raw: Map<unknown, unknown>;

  constructor(map: Map<unknown, unknown>, listener: ContainerListener) {
    const isTaken = Object.hasOwn(map, "set") || !Object.isExtensible(map);
    this.raw = isTaken ? new Map(prototype.entries.call(map)) : map;
    const { raw } = this;
    const read = (key: unknown) => listener.read(key, prototype.get.call(raw, key));
    const set = (key: unknown, value: unknown) => {
      listener.assign(key, value);
      return raw;
    };
    function* entries(): Iterable<[unknown, unknown]> {
      for (const key of prototype.keys.call(raw)) yield [key, read(key)];
    }
    const getOrInsertComputed = (key: unknown, create: (key: unknown) => unknown) => {
      if (!prototype.has.call(raw, key)) set(key, create(key));
      return read(key);
    };
    // Only newer runtimes have the two methods `getOrInsert` by themselves.
    const methods: Record<PropertyKey, unknown> = {
      get: read,
      set,
      delete: (key: unknown) => listener.remove(key),
      clear: () => {
        for (const key of [...prototype.keys.call(raw)]) listener.remove(key);
      },
      getOrInsertComputed,
      getOrInsert: (key: unknown, value: unknown) => getOrInsertComputed(key, () => value),
      entries,
      [Symbol.iterator]: entries,
      *values() {
        for (const [, value] of entries()) yield value;
      },
      forEach: (visit: (value: unknown, key: unknown, map: unknown) => void, self?: unknown) => {
        for (const [key, value] of entries()) visit.call(self, value, key, raw);
      },
    };
    for (const name of Reflect.ownKeys(methods)) {
      Object.defineProperty(raw, name, { value: methods[name], configurable: true });
    }
  }

  get given(): object {
    return this.raw;
  }

  entries(): Iterable<[unknown, unknown]> {
    return prototype.entries.call(this.raw);
  }

  put(key: unknown, value: unknown): void {
    prototype.set.call(this.raw, key, value);
  }

  remove(key: unknown): void {
    prototype.delete.call(this.raw, key);
  }
}
