import { isPlain, toPlain, unwrap } from "./plain.ts";
import { Tracked, type TrackedOwner } from "./tracked.ts";

/** What is stored of them. */
export interface KeptRecord {
  data?: unknown;
  /** Properties that user code put on the socket. */
  own?: Record<string, unknown>;
  /** What user code changed in `socket.handshake`, by its keys. */
  handshake?: Record<string, unknown>;
  /** Keys that were deleted: a replay must not bring them back. */
  gone?: { data: string[]; own: string[] };
}

type Keys = Record<PropertyKey, unknown>;

/**
 * `socket.data` and the properties that user code puts on a socket.
 *
 *   awake:  raw values, whatever they are
 *   record: plain copies; what structured clone cannot hold is left out, with one warning a path
 */
export class KeptValues extends Tracked {
  readonly #own: Keys;
  #data: unknown;

  constructor(owner: TrackedOwner, record: KeptRecord = {}) {
    super(owner);
    this.#data = record.data ?? {};
    this.#own = Object.assign(Object.create(null), record.own);
    this.addRoot(this.#data, record.gone?.data);
    this.addRoot(this.#own, record.gone?.own);
  }

  get data(): unknown {
    return this.give(this.#data);
  }

  set data(value: unknown) {
    const raw = unwrap(value);
    if (this.owner.isMuted()) this.#fill(raw);
    else if (raw !== this.#data) {
      this.replaceRoot(this.#data, raw);
      this.#data = raw;
      this.owner.changed();
    }
  }

  get ownNames(): Iterable<string> {
    return Object.keys(this.#own);
  }

  own(name: string): unknown {
    return this.give(unwrap(this.#own[name]));
  }

  /** False: a replay assigns what was deleted, and is not listened to. */
  setOwn(name: string, value: unknown): boolean {
    this.set(this.#own, name, value);
    return Object.hasOwn(this.#own, name);
  }

  /** User code deleted a property, which nothing reports: called when a handler has settled. */
  forgetMissing(holder: object): void {
    // The object has no prototype, and costs nothing to look through where it is empty.
    for (const name in this.#own) if (!Object.hasOwn(holder, name)) this.deleteProperty(this.#own, name);
  }

  /** Nothing in it where nothing is kept. */
  record(): KeptRecord {
    const record: KeptRecord = {};
    const warn = (path: string) => this.owner.warnLeftOut(path);
    const data = toPlain(this.#data, "socket.data", warn);
    if (!isPlain(data) || Object.keys(data as object).length > 0) record.data = data;
    const own = toPlain(this.#own, "socket", warn) as Record<string, unknown>;
    if (Object.keys(own).length > 0) record.own = own;
    const gone = { data: this.goneOf(this.#data), own: this.goneOf(this.#own) };
    if (gone.data.length + gone.own.length > 0) record.gone = gone;
    return record;
  }

  /** A replay assigns `socket.data` as a whole: what was not saved of it is taken. */
  #fill(raw: unknown): void {
    if (!isPlain(raw) || !isPlain(this.#data)) return;
    for (const [key, value] of Object.entries(raw as Keys)) this.set(this.#data as Keys, key, value);
  }
}
