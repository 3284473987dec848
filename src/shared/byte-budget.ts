/** Said to the log, and to `disconnect` listeners of who was ended. */
const WHY = "the object holds more than maxHeldBytes for its clients, and most of it for this one";
/** Newcomers are refused while the rest of it is left for those who are there. */
const DOOR_SHARE = 0.9;
/** An object that holds less than this share of its bytes has no part in what isolates hold too much. */
const SMALL_SHARE = 1 / 48;
/** An object that was quiet for so long, ms, may have been evicted: what it held is garbage then. */
const QUIET_MS = 30_000;

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
  readonly #limits: BudgetLimits;
  readonly #onOver: (why: string) => void;
  readonly #accounts = new Set<Account>();
  #usedAt = 0;
  #isShedding = false;
  #hasTold = false;

  /** `id` names the object: a new instance of it takes the place of the one before. `onOver` is told once. */
  constructor(id: string, limits: BudgetLimits, onOver: (why: string) => void) {
    this.#limits = limits;
    this.#onOver = onOver;
    if (typeof WeakRef === "function") budgets.set(id, new WeakRef(this));
  }

  /** An account for a session. `end` ends it, and says why. */
  open(end: (why: string) => void): Account {
    const account = new Account(this, end);
    this.#accounts.add(account);
    return account;
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
    if (bytes < 0 || this.#isShedding) return;
    this.#usedAt = Date.now();
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
    if (this.total <= small) return false;
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
    for (const account of this.#accounts) if (account.bytes > (largest?.bytes ?? 0)) largest = account;
    if (largest === undefined) return false;
    if (!this.#hasTold) this.#onOver(WHY);
    this.#hasTold = true;
    largest.close();
    largest.end(WHY);
    return true;
  }
}

/** What one session makes its object hold. */
export class Account {
  bytes = 0;
  readonly budget: ByteBudget;
  readonly end: (why: string) => void;

  constructor(budget: ByteBudget, end: (why: string) => void) {
    this.budget = budget;
    this.end = end;
  }

  /** So many more bytes are held, or fewer. A session may end for it: look whether it was this one. */
  add(bytes: number): void {
    if (bytes !== 0) this.budget._count(this, bytes);
  }

  /** Nothing is held any more, whatever is added or taken away from here on. */
  close(): void {
    this.budget._close(this);
  }
}
