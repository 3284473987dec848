import type { SessionId } from "../../shared/ids.ts";
import { findNamespace, type ObjectSource } from "../namespace.ts";
import { findObject } from "../sessions/session-id.ts";
import { type Address, FIRST, MAIN, requireServerName, toObjectName } from "./object-name.ts";

/** An object, as its caller reaches it. */
export interface Place extends Address {
  readonly stub: DurableObjectStub;
}

/** Which server, and which of its objects. */
export interface Whom {
  /** @default "main" */
  readonly name?: string;
}

/** Decides which object serves whom. Nothing else knows how objects are named. */
export class Placement {
  readonly #source: ObjectSource;

  constructor(source: ObjectSource) {
    this.#source = source;
  }

  /** The object of a new session. `name` has been checked. */
  forNew(env: Cloudflare.Env, name: string): Place {
    return this.#place(env, { name, shard: FIRST });
  }

  /** The object of a session; undefined when no object can have made that id. */
  of(env: Cloudflare.Env, sid: SessionId): DurableObjectStub | undefined {
    const namespace = findNamespace(env, this.#source);
    const id = findObject(namespace, sid);
    return id && this.#get(namespace, id);
  }

  /** Finds the object for calls from outside, anew each time. @throws Error for what is no name of a server */
  finder(env: Cloudflare.Env, { name = MAIN }: Whom = {}): () => DurableObjectStub {
    const address: Address = { name: requireServerName(name), shard: FIRST };
    return () => this.#place(env, address).stub;
  }

  #place(env: Cloudflare.Env, address: Address): Place {
    const namespace = findNamespace(env, this.#source);
    return { ...address, stub: this.#get(namespace, namespace.idFromName(toObjectName(address))) };
  }

  #get(namespace: DurableObjectNamespace, id: DurableObjectId): DurableObjectStub {
    const { locationHint } = this.#source;
    return namespace.get(id, locationHint === undefined ? {} : { locationHint });
  }
}
