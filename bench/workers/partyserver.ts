import { type Connection, routePartykitRequest, Server } from "partyserver";
import { isForAll, OPENING, toReply } from "./frames.ts";

/** A peer on the same runtime: PartyServer with hibernation, written as in its README. */
export class SessionObject extends Server {
  static override options = { hibernate: true };

  override onConnect(connection: Connection): void {
    connection.send(OPENING);
  }

  override onMessage(connection: Connection, message: string): void {
    if (isForAll(message)) this.broadcast(message);
    else connection.send(toReply(message));
  }
}

export default {
  async fetch(request: Request, env: Cloudflare.Env): Promise<Response> {
    return (await routePartykitRequest(request, env)) ?? new Response("Not found", { status: 404 });
  },
};
