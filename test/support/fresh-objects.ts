import { reset } from "cloudflare:test";
import { afterAll, beforeAll, beforeEach, vi } from "vitest";
import { forgetBudgets } from "../../src/shared/byte-budget.ts";
import { applications, engines, journals, peerCalls, peerFaults } from "../fixtures/worker.ts";

/**
 * The files of a worker share a runtime, because starting one takes longer than most files. So each file begins without
 * the objects of those before it, and leaves neither a faked clock nor mocks behind.
 */
beforeAll(async () => {
  await reset();
  for (const kept of [applications, engines, journals, peerCalls, peerFaults]) kept.clear();
});
/** An object that is gone may count as one of the isolate for 30 s more. */
beforeEach(forgetBudgets);
afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});
