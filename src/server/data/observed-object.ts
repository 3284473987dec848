import { ESCAPING_RAW, RAW } from "../state/raw.ts";
import type { Container, ContainerListener } from "./container.ts";

type Keys = Record<PropertyKey, unknown>;

/** A plain object that reports the changes that are made by its proxy, which is what user code is given. */
export class ObservedObject implements Container, ProxyHandler<Keys> {
  readonly kind = "object";
  readonly raw: Keys;
  readonly given: object;
  readonly #listener: ContainerListener;

  constructor(object: object, listener: ContainerListener) {
    // For an object that cannot be changed, the language demands that a proxy returns the values themselves.
    this.raw = (Object.isExtensible(object) ? object : { ...object }) as Keys;
    this.given = new Proxy(this.raw, this);
    this.#listener = listener;
  }

  get(raw: Keys, key: PropertyKey): unknown {
    if (key === ESCAPING_RAW) this.#listener.escape();
    if (key === RAW || key === ESCAPING_RAW) return raw;
    const value = raw[key];
    // Properties that every object inherits are not entries.
    const isInherited = value !== undefined && !Object.hasOwn(raw, key);
    return isInherited || typeof key === "symbol" ? value : this.#listener.read(key, value);
  }

  set(raw: Keys, key: PropertyKey, value: unknown): boolean {
    if (typeof key === "symbol") raw[key] = value;
    else this.#listener.assign(key, value);
    return true;
  }

  defineProperty(raw: Keys, key: PropertyKey, descriptor: PropertyDescriptor): boolean {
    if (!("value" in descriptor)) return Reflect.defineProperty(raw, key, descriptor);
    return this.set(raw, key, descriptor.value);
  }

  deleteProperty(raw: Keys, key: PropertyKey): boolean {
    if (typeof key === "symbol") return Reflect.deleteProperty(raw, key);
    this.#listener.remove(key);
    return true;
  }

  entries(): Iterable<[unknown, unknown]> {
    return Object.entries(this.raw);
  }

  put(key: unknown, value: unknown): void {
    const name = key as PropertyKey;
    if (Object.hasOwn(this.raw, name) && Object.is(this.raw[name], value)) return;
    // It replaces getters, too, and works for any name, `__proto__` included.
    Object.defineProperty(this.raw, name, { value, writable: true, enumerable: true, configurable: true });
  }

  remove(key: unknown): void {
    delete this.raw[key as PropertyKey];
  }
}
