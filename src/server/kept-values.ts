import { isPlain, isSame, RAW, toPlain, unwrap } from "./plain.ts";

/** Whom the kept values of a socket belong to. */
export interface KeptOwner {
  isMuted(): boolean;
  /** A value changed: it has to be saved. */
  changed(): void;
  /** A Map, Set, Date or typed array was given out: only a comparison can tell whether it changes. */
  givenOut(kept: KeptValues): void;
  warnLeftOut(path: string): void;
}

/** What is stored of them. */
export interface KeptRecord {
  data?: unknown;
  /** Properties that user code put on the socket. */
  own?: Record<string, unknown>;
  /** Keys that were deleted: a replay must not bring them back. */
  gone?: { data: string[]; own: string[] };
}

type Keys = Record<PropertyKey, unknown>;

/**
 * `socket.data` and the properties that user code puts on a socket.
 *
 * assigned --> raw, as the user gave it --> given out behind proxies that report changes at any depth
 *   awake:  raw values, whatever they are
 *   record: plain copies; what structured clone cannot hold is left out, with one warning a path
 *   replay: what was saved wins over what a listener assigns; what was not saved may be assigned again
 */
export class KeptValues {
  readonly #owner: KeptOwner;
  readonly #handler: ProxyHandler<object>;
  readonly #proxies = new WeakMap<object, object>();
  readonly #goneData: Set<PropertyKey>;
  readonly #goneOwn: Set<string>;
  readonly #own: Map<string, unknown>;
  #data: unknown;
  /** Objects that a replay assigned where nothing was saved: it may go on filling them. */
  #fresh: WeakSet<object> | undefined;
  /** The copy that is compared with, once something was given out that no proxy can watch. */
  #compared: KeptRecord | undefined;

  constructor(owner: KeptOwner, record: KeptRecord = {}) {
    this.#owner = owner;
    this.#data = record.data ?? {};
    this.#own = new Map(Object.entries(record.own ?? {}));
    this.#goneData = new Set(record.gone?.data);
    this.#goneOwn = new Set(record.gone?.own);
    this.#handler = {
      get: (target, key) => this.#get(target, key),
      set: (target, key, value) => this.#set(target as Keys, key, value),
      deleteProperty: (target, key) => this.#delete(target as Keys, key),
      defineProperty: (target, key, descriptor) => {
        if (this.#isRefused(target, key)) return true;
        this.#owner.changed();
        return Reflect.defineProperty(target, key, descriptor);
      },
    };
  }

  get data(): unknown {
    return this.#give(this.#data);
  }

  set data(value: unknown) {
    const raw = unwrap(value);
    if (this.#owner.isMuted()) this.#fill(raw);
    else if (raw !== this.#data) {
      this.#data = raw;
      this.#owner.changed();
    }
  }

  get ownNames(): Iterable<string> {
    return this.#own.keys();
  }

  own(name: string): unknown {
    return this.#give(this.#own.get(name));
  }

  /** False: a replay assigns what was saved, or deleted, and is not listened to. */
  setOwn(name: string, value: unknown): boolean {
    const raw = unwrap(value);
    if (this.#owner.isMuted()) {
      if (this.#own.has(name) || this.#goneOwn.has(name)) return false;
      this.#refresh(raw);
    }
    if (this.#own.has(name) && this.#own.get(name) === raw) return true;
    this.#own.set(name, raw);
    this.#goneOwn.delete(name);
    this.#owner.changed();
    return true;
  }

  /** User code deleted a property, which nothing reports: called when a handler has settled. */
  forgetMissing(holder: object): void {
    for (const name of this.#own.keys()) {
      if (Object.hasOwn(holder, name)) continue;
      this.#own.delete(name);
      this.#goneOwn.add(name);
      this.#owner.changed();
    }
  }

  /** Reports a change that no proxy saw. Called when a handler has settled. */
  compare(): void {
    if (this.#compared === undefined) return;
    const current = this.record();
    if (isSame(current, this.#compared)) return;
    this.#compared = current;
    this.#owner.changed();
  }

  /** Plain copies, for storage; nothing in them where nothing is kept. */
  record(): KeptRecord {
    const record: KeptRecord = {};
    const warn = (path: string) => this.#owner.warnLeftOut(path);
    const data = toPlain(this.#data, "socket.data", warn);
    if (!isPlain(data) || Object.keys(data as object).length > 0) record.data = data;
    if (this.#own.size > 0) {
      const own = toPlain(Object.fromEntries(this.#own), "socket", warn) as Record<string, unknown>;
      if (Object.keys(own).length > 0) record.own = own;
    }
    if (this.#goneData.size + this.#goneOwn.size > 0) {
      record.gone = { data: [...this.#goneData].map(String), own: [...this.#goneOwn] };
    }
    return record;
  }

  #give(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (!isPlain(value)) {
      this.#compared ??= this.record();
      this.#owner.givenOut(this);
      return value;
    }
    let proxy = this.#proxies.get(value);
    if (proxy === undefined) {
      proxy = new Proxy(value, this.#handler);
      this.#proxies.set(value, proxy);
    }
    return proxy;
  }

  #get(target: object, key: PropertyKey): unknown {
    if (key === RAW) return target;
    const value = (target as Keys)[key];
    if (typeof value !== "object" || value === null) return value;
    const raw = unwrap(value) as object;
    if (this.#fresh?.has(target)) this.#fresh.add(raw);
    const descriptor = Reflect.getOwnPropertyDescriptor(target, key);
    // Of a frozen object the language demands the very value.
    if (descriptor?.configurable === false && descriptor.writable === false) return value;
    return this.#give(raw);
  }

  #set(target: Keys, key: PropertyKey, value: unknown): boolean {
    if (this.#isRefused(target, key)) return true;
    const raw = unwrap(value);
    if (Object.is(target[key], raw) && Object.hasOwn(target, key)) return true;
    if (!Reflect.set(target, key, raw)) return false;
    if (target === this.#data) {
      this.#goneData.delete(key);
      if (this.#owner.isMuted()) this.#refresh(raw);
    }
    this.#owner.changed();
    return true;
  }

  #delete(target: Keys, key: PropertyKey): boolean {
    if (!Object.hasOwn(target, key) || (this.#owner.isMuted() && !this.#fresh?.has(target))) return true;
    if (!Reflect.deleteProperty(target, key)) return false;
    if (target === this.#data && typeof key === "string") this.#goneData.add(key);
    this.#owner.changed();
    return true;
  }

  /** A replay may only add keys to `socket.data` that were neither saved nor deleted. */
  #isRefused(target: object, key: PropertyKey): boolean {
    if (!this.#owner.isMuted() || this.#fresh?.has(target)) return false;
    return target !== this.#data || Object.hasOwn(target, key) || this.#goneData.has(key);
  }

  /** A replay assigns `socket.data` as a whole: what was not saved of it is taken. */
  #fill(raw: unknown): void {
    if (!isPlain(raw) || !isPlain(this.#data)) return;
    for (const [key, value] of Object.entries(raw as Keys)) this.#set(this.#data as Keys, key, value);
  }

  #refresh(raw: unknown): void {
    if (typeof raw !== "object" || raw === null) return;
    this.#fresh ??= new WeakSet();
    this.#fresh.add(raw);
  }
}
