import type { SessionObjectClass } from "../../src/objects/session-object.ts";
import type { ClusterAnswer, ClusterCall } from "../../src/server/cluster/messages.ts";

interface PeerObject {
  socketIoPeer(call: ClusterCall): Promise<ClusterAnswer>;
}

/** What happens to a call between two shards: it does not arrive, or it is carried out and its answer is lost. */
type Fault = "call" | "answer";

/** The faults of the next calls, by the shards that call and are called. */
const faults = new Map<string, Fault[]>();
let faultless = 0;
let broken = 0;
let isAnswer = false;

/** Lets calls between the objects of a server fail, as they do when one of them is cut off for a moment. */
export function breakable(Base: SessionObjectClass<unknown>): SessionObjectClass<unknown> {
  return class extends Base implements PeerObject {
    async socketIoPeer(call: ClusterCall): Promise<ClusterAnswer> {
      const from = call.type === "batch" ? call.from : call.request.split(":")[0];
      const fault = faults.get(`${from} to ${this.ctx.id.name?.split("#")[1] ?? "0"}`)?.shift();
      if (fault === undefined) faultless++;
      else broken++;
      if (fault === "call") throw new Error("the call is lost");
      const answer = await (Base.prototype as unknown as PeerObject).socketIoPeer.call(this, call);
      if (fault === "answer") throw new Error("the answer is lost");
      return answer;
    }
  };
}

/**
 * Adds a route to the Worker of a server: `/cut-off?shard=1&of=3` cuts one of three shards off until each call to it
 * and from it was tried again. The answer counts the calls that failed so far, and the others.
 */
export function withSwitch(app: { fetch(...args: never[]): Response | Promise<Response> }) {
  return {
    fetch(request: Request, ...others: unknown[]): Response | Promise<Response> {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname !== "/cut-off") {
        return (app.fetch as (...args: unknown[]) => Response | Promise<Response>)(request, ...others);
      }
      const shard = searchParams.get("shard");
      for (let other = 0; other < Number(searchParams.get("of")); other++) {
        if (String(other) === shard) continue;
        isAnswer = !isAnswer;
        faults.set(`${shard} to ${other}`, [isAnswer ? "answer" : "call"]);
        faults.set(`${other} to ${shard}`, [isAnswer ? "call" : "answer"]);
      }
      return Response.json({ broken, faultless });
    },
  };
}
