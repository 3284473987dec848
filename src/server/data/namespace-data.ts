import { setOwn } from "../../shared/set-own.ts";
import { isPlain } from "../state/containers.ts";
import { toPlain } from "../state/plain-copy.ts";
import { ESCAPING_RAW, RAW, unwrap } from "../state/raw.ts";
import { Collection } from "./collection.ts";
import { isStorable, type PropertyRow, parsePropertyKey, propertiesOf, toPropertyKey } from "./data-rows.ts";
import type { DataWriter } from "./data-writer.ts";
import { type Property, type PropertyContext, scheduleSweep } from "./property.ts";
import { ValueProperty } from "./value-property.ts";

type Keys = Record<PropertyKey, unknown>;

/**
 * `nsp.data`: what the sockets of a namespace share. Each property is read when it is first looked at.
 *
 *   stored ──────────────► read ──► changed: written at the end of the turn
 *   assigned by setup ───► default: as if it were there, but not stored before it is changed; unless one is stored
 *   assigned by a replay ► ignored, though the replay itself can read it
 */
export class NamespaceData implements ProxyHandler<Keys> {
  /** What user code is given. */
  readonly given: object;
  readonly #nsp: string;
  /** Whether the namespace is the child of a dynamic one, so that its data is removed with it. */
  readonly #isChild: boolean;
  readonly #writer: DataWriter;
  readonly #properties = new Map<string, Property>();
  /** What the setup function has assigned to properties that nobody has looked at yet. */
  readonly #defaults = new Map<string, unknown>();
  /** Copies of those that can expire, which take their place then. */
  readonly #copies = new Map<string, unknown>();
  /** What a replay has assigned. It is not kept, but the replay can read it. */
  #refused: Keys = {};

  constructor(nsp: string, writer: DataWriter, isChild: boolean) {
    this.#nsp = nsp;
    this.#isChild = isChild;
    this.#writer = writer;
    this.given = new Proxy<Keys>({}, this);
  }

  get(target: Keys, key: string | symbol): unknown {
    this.#checkInstance();
    if (key === RAW || key === ESCAPING_RAW) return this.#toRaw();
    if (typeof key === "symbol") return target[key];
    const property = this.#find(key);
    if (property !== undefined) return property.given;
    const isRefused = this.#writer.isMuted && Object.hasOwn(this.#refused, key);
    return isRefused ? this.#refused[key] : Reflect.get(Object.prototype, key);
  }

  set(target: Keys, key: string | symbol, value: unknown): boolean {
    this.#checkInstance();
    if (typeof key === "symbol") target[key] = value;
    else if (!this.#writer.isSetUp) this.#setDefault(key, value);
    else if (this.#writer.isMuted) setOwn(this.#refused, key, value);
    else this.#assign(key, value);
    return true;
  }

  deleteProperty(target: Keys, key: string | symbol): boolean {
    this.#checkInstance();
    if (typeof key === "symbol") return Reflect.deleteProperty(target, key);
    const property = this.#find(key);
    if (property === undefined || !this.#writer.mayReplace(property.isDefault)) return true;
    this.#defaults.delete(key);
    this.#remove(key, property);
    return true;
  }

  defineProperty(target: Keys, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    if (!("value" in descriptor)) throw new Error("io.data can hold no getters; assign plain data");
    return this.set(target, key, descriptor.value);
  }

  has(target: Keys, key: string | symbol): boolean {
    this.#checkInstance();
    return typeof key === "string" ? this.#find(key) !== undefined || key in target : key in target;
  }

  /** It cannot be frozen: which properties there are is known to storage. */
  preventExtensions(): boolean {
    return false;
  }

  ownKeys(): string[] {
    this.#checkInstance();
    return Object.keys(this.#toRaw());
  }

  getOwnPropertyDescriptor(target: Keys, key: string | symbol): PropertyDescriptor | undefined {
    this.#checkInstance();
    if (typeof key === "symbol") return Reflect.getOwnPropertyDescriptor(target, key);
    const property = this.#find(key);
    return property && { value: property.given, writable: true, enumerable: true, configurable: true };
  }

  /** Assigns all properties of an object, and deletes the others. */
  replace(value: unknown): void {
    const next = Object(unwrap(value)) as Keys;
    for (const key of this.ownKeys()) if (!Object.hasOwn(next, key)) this.deleteProperty({}, key);
    for (const key of Object.keys(next)) this.set({}, key, next[key]);
  }

  /** Removes all that is in memory. */
  clear(): void {
    for (const [name, property] of this.#properties) this.#remove(name, property);
    this.#defaults.clear();
  }

  /** Removes the parts of a property that were last changed before this time. */
  expire(name: string, before: number): void {
    if (!this.#find(name)?.expire(before)) return;
    this.#properties.delete(name);
    if (this.#defaults.has(name)) this.#defaults.set(name, toPlain(this.#copies.get(name)));
  }

  /** The property of a name, read if necessary. */
  #find(name: string): Property | undefined {
    const known = this.#properties.get(name);
    if (known !== undefined) return known;
    const stored = this.#readRow(name);
    if (stored !== undefined) return this.#read(name, stored);
    return this.#defaults.has(name) ? this.#createDefault(name) : undefined;
  }

  #readRow(name: string): PropertyRow | undefined {
    if (!isStorable(propertiesOf(this.#nsp) + name)) return undefined;
    const key = toPropertyKey(this.#nsp, name);
    // Its row may be about to be removed.
    const stored = this.#writer.isPending(key) ? undefined : this.#writer.rows.get<PropertyRow>(key);
    return stored?.v === 1 ? stored : undefined;
  }

  #createDefault(name: string): Property {
    const property = this.#create(name, this.#defaults.get(name), true);
    property.watchReference();
    return property;
  }

  #read(name: string, stored: PropertyRow): Property | undefined {
    const { at, kind, value } = stored;
    const container = kind === "map" ? new Map() : kind === "object" ? {} : value;
    const property = this.#create(name, container, false, stored);
    if (kind !== "value" || at + this.#writer.ttlOf(name) > this.#writer.now()) return property;
    this.#remove(name, property);
    return undefined;
  }

  #remove(name: string, property: Property): void {
    this.#properties.delete(name);
    property.discard();
  }

  #setDefault(name: string, value: unknown): void {
    const property = this.#properties.get(name);
    if (property !== undefined && (!property.isDefault || property.value === unwrap(value))) return;
    if (property !== undefined) this.#remove(name, property);
    this.#defaults.set(name, unwrap(value));
    if (this.#writer.canExpire(name)) this.#copies.set(name, toPlain(value));
    // The setup function may change an object through a reference of its own, so it is watched from the start.
    const isObject = typeof value === "object" && value !== null;
    if (isObject && this.#readRow(name) === undefined) this.#createDefault(name);
  }

  #assign(name: string, value: unknown): void {
    const before = this.#find(name);
    if (before === undefined) this.#writer.checkRoom(this.#pathOf(name));
    const raw = unwrap(value);
    if (before === undefined || !Object.is(before.value, raw)) {
      before?.discard();
      this.#create(name, raw, false).write();
    } else if (before.isDefault || this.#writer.canExpire(name)) {
      // Assigning the same value again makes it expire later, if it expires at all.
      before.isDefault = false;
      before.write();
    }
  }

  #create(name: string, value: unknown, isDefault: boolean, stored?: PropertyRow): Property {
    const context: PropertyContext = {
      writer: this.#writer,
      nsp: this.#nsp,
      isChild: this.#isChild,
      name,
      path: this.#pathOf(name),
    };
    // It may have been stored by code that had no time to live for it.
    if (stored !== undefined) scheduleSweep(context);
    const property =
      !(value instanceof Map) && (!isPlain(value) || Array.isArray(value))
        ? new ValueProperty(context, value, isDefault, stored)
        : new Collection(context, value as object, isDefault, stored);
    this.#properties.set(name, property);
    return property;
  }

  #pathOf(name: string): string {
    return this.#nsp === "/" ? `io.data.${name}` : `io.of("${this.#nsp}").data.${name}`;
  }

  /** All properties, with the values themselves. */
  #toRaw(): Keys {
    const raw: Keys = {};
    const stored = [...this.#writer.rows.list({ prefix: propertiesOf(this.#nsp) })];
    const names = stored.map(([key]) => parsePropertyKey(key).name);
    for (const name of new Set([...names, ...this.#properties.keys(), ...this.#defaults.keys()])) {
      const property = this.#find(name);
      if (property !== undefined) setOwn(raw, name, property.value);
    }
    return raw;
  }

  #checkInstance(): void {
    this.#writer.checkInstance(this.#nsp);
  }
}
