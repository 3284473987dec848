import { DurableObject } from "cloudflare:workers";
import crossws from "crossws/adapters/cloudflare";
import { isForAll, OPENING, toReply } from "./frames.ts";

/** A peer on the same runtime: crossws with a Durable Object, written as in its guide. */
const ws = crossws({
  bindingName: "SESSIONS",
  instanceName: "main",
  hooks: {
    open(peer) {
      peer.subscribe("all");
      peer.send(OPENING);
    },
    message(peer, message) {
      const text = message.text();
      if (isForAll(text)) peer.publish("all", text);
      peer.send(toReply(text));
    },
  },
});

export class SessionObject extends DurableObject {
  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env);
    ws.handleDurableInit(this, ctx, env);
  }

  override fetch(request: Request): Promise<Response> {
    return ws.handleDurableUpgrade(this, request);
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    return ws.handleDurableMessage(this, socket, message);
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string, isClean: boolean): Promise<void> {
    return ws.handleDurableClose(this, socket, code, reason, isClean);
  }
}

export default {
  fetch(
    request: Request,
    env: Cloudflare.Env,
    ctx: Parameters<typeof ws.handleUpgrade>[2],
  ): Promise<Response> {
    return ws.handleUpgrade(request, env, ctx);
  },
};
