import { env } from "cloudflare:workers";
import { defineServer, type ServerOptions } from "../../src/index.ts";
import { setup, variants } from "../fixtures/apps/conversation.ts";

const { VARIANT, IS_HASTY } = env as unknown as Record<string, string>;

/**
 * The Worker reopens a broken poll after a random time of up to a second, so that a restarting object is not flooded.
 * There are no other clients here, so a hundredth of that is enough where a test restarts the object hundreds of times.
 */
const { isHasty } = globalThis as { isHasty?: boolean };
if (IS_HASTY && !isHasty) {
  const { random } = Math;
  Math.random = () => random() / 100;
  Object.assign(globalThis, { isHasty: true });
}

const options = { ...variants[VARIANT ?? "default"]?.shared } as ServerOptions;
const server = defineServer(options, (io) => setup(io as never));

export class SessionObject extends server.SessionObject {}
export default server.app;
