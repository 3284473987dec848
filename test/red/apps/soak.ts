import type { Server, ServerOptions } from "../../../src/index.ts";
import { setup as soak } from "../../fixtures/apps/soak.ts";

export const variants: Record<string, ServerOptions> = { recovery: { connectionStateRecovery: {} } };

export function setup(io: Server): void {
  soak(io as unknown as Parameters<typeof soak>[0]);
}
