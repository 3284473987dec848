import { bytesOfText } from "./estimate-bytes.ts";

/** Said to the log, and to `disconnect` listeners of who was ended. */
export const OVERDRAWN =
  "the object holds more than maxHeldBytes for its clients, and most of it for this one";
/** Newcomers are refused while the rest of it is left for those who are there. */
const DOOR_SHARE = 0.9;
/** For sessions that sleep there is this share of all bytes. Each may take that part of what is left of it. */
const ASLEEP_SHARE = 0.5;
const ASLEEP_PART = 1 / 12;
/** An object that holds less than this share of its bytes has no part in what isolates hold too much. */
const SMALL_SHARE = 1 / 48;
/** An object that was quiet for so long, ms, may have been evicted: what it held is garbage then. */
const QUIET_MS = 30_000;

/** What an item takes that waits, besides its own bytes. */
const ITEM_BYTES = 60;

export interface BudgetLimits {
  /** Bytes for one object. */
  readonly object: number;
  /** Bytes for all objects that share its isolate. */
  readonly isolate: number;
}

/** The budgets of this isolate, by object. Module-level, because it is the isolate's memory that they share. */
const budgets = new Map<string, WeakRef<ByteBudget>>();

/**
 * What the clients of one object make it hold in memory, in bytes, one account for each session.
 *
 * add ──► fits
 *    └──► over: the session with the largest account ends, until it fits
 *
 * Objects of one isolate share its memory: when all of them together hold too much, the one that asks gives way if it
 * holds more than an equal share.
 */
export class ByteBudget {
  total = 0;
  /** Bytes on WebSockets of sessions that are awake, of which nothing proves that they were read. */
  unread = 0;
  readonly #limits: BudgetLimits;
  readonly #onOver: (why: string) => void;
  readonly #accounts = new Set<Account>();
  readonly #shared = new Map<readonly Item[], Shared>();
  #kept = 0;
  #usedAt = 0;
  #isShedding = false;
  #hasTold = false;

  /** `id` names the object: a new instance of it takes the place of the one before. `onOver` is told once. */
  constructor(id: string, limits: BudgetLimits, onOver: (why: string) => void) {
    this.#limits = limits;
    this.#onOver = onOver;
    if (typeof WeakRef === "function") budgets.set(id, new WeakRef(this));
  }

  /**
   * An account for a session. `end` ends it, and says why; what it has user code do has to bring in less than it takes
   * away.
   */
  open(end: (why: string) => void): Account {
    const account = new Account(this, end);
    this.#accounts.add(account);
    return account;
  }

  /**
   * Counts what is known of a session that sleeps. False: it is too much to be held. The less is left, the less is too
   * much, so that those who take little are always held.
   */
  keep(bytes: number): boolean {
    if (bytes > ASLEEP_PART * (ASLEEP_SHARE * this.#limits.object - this.#kept)) return false;
    this.total += bytes;
    this.#kept += bytes;
    return true;
  }

  /** Nothing is known of sessions that sleep any more: they are looked at anew. */
  keepNone(): void {
    this.total -= this.#kept;
    this.#kept = 0;
  }

  /** Something holds the object in memory: what it holds counts for its neighbours. */
  touch(): void {
    this.#usedAt = Date.now();
  }

  /** Whether somebody who brings so many bytes may come in. */
  admits(bytes: number): boolean {
    return this.total + bytes <= DOOR_SHARE * this.#limits.object && !this.#isIsolateOver();
  }

  /** @internal */
  _count(account: Account, bytes: number): void {
    if (!this.#accounts.has(account)) return;
    account.bytes += bytes;
    this.total += bytes;
    if (bytes > 0) this._check();
  }

  /** @internal */
  _share(items: readonly Item[]): Batch {
    let shared = this.#shared.get(items);
    if (shared === undefined) {
      shared = { items, bytes: bytesOf(items), holders: 0 };
      this.#shared.set(items, shared);
      this.total += shared.bytes;
    }
    shared.holders++;
    return { shared, left: items.length };
  }

  /** @internal */
  _unshare({ shared }: Batch): void {
    if (--shared.holders > 0) return;
    this.#shared.delete(shared.items);
    this.total -= shared.bytes;
  }

  /** Ends sessions until what is held fits. @internal */
  _check(): void {
    if (this.#isShedding) return;
    this.touch();
    this.#isShedding = true;
    try {
      while (this.#isOver() && this.#endLargest());
    } finally {
      this.#isShedding = false;
    }
  }

  /** @internal */
  _close(account: Account): void {
    if (this.#accounts.delete(account)) this.total -= account.bytes;
    account.bytes = 0;
  }

  #isOver(): boolean {
    return this.total > this.#limits.object || this.#isIsolateOver();
  }

  #isIsolateOver(): boolean {
    const { isolate, object } = this.#limits;
    const small = SMALL_SHARE * object;
    // Where even an equal share is not held, nothing has to be added up.
    if (this.total <= Math.max(small, isolate / budgets.size)) return false;
    const since = Date.now() - QUIET_MS;
    let sum = 0;
    let large = 0;
    for (const [id, ref] of budgets) {
      const budget = ref.deref();
      if (budget === undefined) budgets.delete(id);
      else if (budget === this || budget.#usedAt >= since) {
        sum += budget.total;
        if (budget.total > small) large++;
      }
    }
    return sum > isolate && this.total > isolate / large;
  }

  #endLargest(): boolean {
    let largest: Account | undefined;
    let most = 0;
    for (const account of this.#accounts) {
      const weight = account.weigh();
      if (weight > most) [most, largest] = [weight, account];
    }
    if (largest === undefined) return false;
    if (!this.#hasTold) this.#onOver(OVERDRAWN);
    this.#hasTold = true;
    largest.close();
    largest.end(OVERDRAWN);
    return true;
  }
}

type Item = string | Uint8Array;

/** Items that were queued together, for any number of accounts. */
interface Shared {
  readonly items: readonly Item[];
  readonly bytes: number;
  holders: number;
}

/** As many of them as wait for one account. */
interface Batch {
  readonly shared: Shared;
  left: number;
}

/** What one session makes its object hold. */
export class Account {
  /** Without what waits in a queue. */
  bytes = 0;
  readonly budget: ByteBudget;
  readonly end: (why: string) => void;
  #batches: Batch[] = [];
  /** Items in the queue, as far as they are counted. */
  #queued = 0;

  constructor(budget: ByteBudget, end: (why: string) => void) {
    this.budget = budget;
    this.end = end;
  }

  /** So many more bytes are held, or fewer. A session may end for it: look whether it was this one. */
  add(bytes: number): void {
    if (bytes !== 0) this.budget._count(this, bytes);
  }

  get hasQueue(): boolean {
    return this.#queued > 0;
  }

  /**
   * A queue has changed: `added` came to its end, and some may have left from its front. What is added to the queues of
   * many is the same in memory: it counts once, as long as it waits for anybody.
   */
  setQueue(queue: readonly Item[], added: readonly Item[] = []): void {
    let gone = this.#queued + added.length - queue.length;
    const isMore = added.length > 0 || gone < 0;
    // What was brought back to the front is nobody else's.
    if (gone < 0) this.#batches.unshift(this.budget._share(queue.slice(0, -gone)));
    if (added.length > 0) this.#batches.push(this.budget._share(added));
    this.#queued = queue.length;
    let over = 0;
    for (const batch of this.#batches) {
      if (gone < batch.left) break;
      gone -= batch.left;
      over++;
      this.budget._unshare(batch);
    }
    this.#batches.splice(0, over);
    const first = this.#batches[0];
    if (first !== undefined && gone > 0) first.left -= gone;
    if (isMore) this.budget._check();
    else this.budget.touch();
  }

  /** Its own, and its share of what waits for others too. */
  weigh(): number {
    return this.#batches.reduce((sum, { shared }) => sum + shared.bytes / shared.holders, this.bytes);
  }

  /** Nothing is held any more, whatever is added or taken away from here on. */
  close(): void {
    for (const batch of this.#batches.splice(0)) this.budget._unshare(batch);
    this.#queued = 0;
    this.budget._close(this);
  }
}

function bytesOf(items: readonly Item[]): number {
  let bytes = ITEM_BYTES * items.length;
  for (const item of items) bytes += typeof item === "string" ? bytesOfText(item) : item.length;
  return bytes;
}
