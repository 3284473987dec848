import { ASLEEP_PART, ASLEEP_SHARE, DOOR_SHARE, ITEM_BYTES, QUIET_MS, SMALL_SHARE } from "./constants.ts";
import { bytesOfText } from "./estimate-bytes.ts";

/** Told to the log, and to `disconnect` listeners of the session that ends. */
export const OVERDRAWN =
  "the object holds more than maxHeldBytes for its clients, and most of it for this one";

export interface BudgetLimits {
  /** Bytes for one object. */
  readonly object: number;
  /** Bytes for all objects that share its isolate. */
  readonly isolate: number;
}

/** The budgets of this isolate, by object. Module-level, because the isolate's memory is what they share. */
const budgets = new Map<string, WeakRef<ByteBudget>>();

/** Forgets what other objects of the isolate hold. For tests, whose objects are gone when the next test begins. */
export function forgetBudgets(): void {
  budgets.clear();
}

/**
 * Counts the bytes that the clients of one object make it hold in memory, with one account for each session.
 *
 * add ──► fits
 *    └──► over: the session with the largest account ends, until it fits
 *
 * The objects of one isolate share its memory. When all of them together hold too much, the object that notices closes
 * a session of its own if it holds more than an equal share.
 */
export class ByteBudget {
  total = 0;
  /** Bytes that were written to WebSockets of sessions in memory and are not known to be read. */
  unread = 0;
  readonly #limits: BudgetLimits;
  readonly #onOver: (why: string) => void;
  readonly #accounts = new Set<Account>();
  readonly #shared = new Map<readonly Item[], Shared>();
  #kept = 0;
  #usedAt = 0;
  #isShedding = false;
  #hasTold = false;

  /**
   * `id` names the object: a new instance of it takes the place of the last. `onOver` is called once, the first time
   * that a session is closed.
   */
  constructor(id: string, limits: BudgetLimits, onOver: (why: string) => void) {
    this.#limits = limits;
    this.#onOver = onOver;
    if (typeof WeakRef === "function") budgets.set(id, new WeakRef(this));
  }

  /**
   * Opens an account for a session. `end` closes the session with a reason; user code that runs for that must add less
   * than it frees.
   */
  open(end: (why: string) => void): Account {
    const account = new Account(this, end);
    this.#accounts.add(account);
    return account;
  }

  /**
   * Counts what is held of a hibernating session. Returns false when it is too much to be held. The less is left, the
   * lower that limit, so that a session that takes little is always held.
   */
  keep(bytes: number): boolean {
    if (bytes > ASLEEP_PART * (ASLEEP_SHARE * this.#limits.object - this.#kept)) return false;
    this.total += bytes;
    this.#kept += bytes;
    return true;
  }

  /** Forgets what was counted for hibernating sessions, because all of them are read again. */
  keepNone(): void {
    this.total -= this.#kept;
    this.#kept = 0;
  }

  /** Marks the object as in memory, so that other objects of the isolate count what it holds. */
  touch(): void {
    this.#usedAt = Date.now();
  }

  /** Whether a new client that takes this many bytes is accepted. */
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

  /** Closes sessions until what is held fits the limits. @internal */
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
    // An object that holds less than an equal share need not add up the others.
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

/** Items that were queued together, by any number of accounts. */
interface Shared {
  readonly items: readonly Item[];
  readonly bytes: number;
  holders: number;
}

/** The last `left` of these items, which wait in the queue of one account. */
interface Batch {
  readonly shared: Shared;
  left: number;
}

/** Counts what one session makes its object hold. */
export class Account {
  /** Bytes, without those in the queue. */
  bytes = 0;
  readonly budget: ByteBudget;
  readonly end: (why: string) => void;
  #batches: Batch[] = [];
  /** The number of items in the queue that are counted. */
  #queued = 0;

  constructor(budget: ByteBudget, end: (why: string) => void) {
    this.budget = budget;
    this.end = end;
  }

  /** Adds bytes, or takes them off. A session may be closed for that, this one included. */
  add(bytes: number): void {
    if (bytes !== 0) this.budget._count(this, bytes);
  }

  get hasQueue(): boolean {
    return this.#queued > 0;
  }

  /**
   * Counts a queue that has changed: `added` was appended, and items may have left at its front. What is appended to
   * many queues is in memory once, so it is counted once, until it has left all of them.
   */
  setQueue(queue: readonly Item[], added: readonly Item[] = []): void {
    let gone = this.#queued + added.length - queue.length;
    const isMore = added.length > 0 || gone < 0;
    // Items that were put back to the front are in no other queue.
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

  /** Its own bytes, and its share of the items that are in other queues as well. */
  weigh(): number {
    return this.#batches.reduce((sum, { shared }) => sum + shared.bytes / shared.holders, this.bytes);
  }

  /** Takes off everything. Later calls have no effect. */
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
