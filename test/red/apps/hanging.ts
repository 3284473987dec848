import type { Server, ServerOptions } from "../../../src/index.ts";
import { setup as believe } from "./believer.ts";

export const variants: Record<string, ServerOptions> = { small: { maxHeldBytes: 14_000_000 } };

let tries = 0;

/** Hangs the first time in this process. */
export async function setup(io: Server): Promise<void> {
  if (++tries === 1) await new Promise(() => {});
  believe(io);
}
