import type { SessionObjectClass } from "../../src/objects/session-object.ts";

/** How long a call may stay open by chance; after that it is taken to wait for what its object calls, ms. */
const GRACE_MS = 100;

interface Open {
  readonly depth: number;
}

/** The calls that each object has not answered yet, by its id. */
const open = new Map<string, Set<Open>>();
/** How deep each call between objects was nested: 1 for a call that no other call waits for. */
let depths: number[] = [];

const openOf = (id: string) => open.get(id) ?? open.set(id, new Set()).get(id)!;

type Method = (this: object, ...args: unknown[]) => Promise<unknown>;

/** The same class, whose objects find out which of their calls are made while they are called themselves. */
export function withDepth(Base: SessionObjectClass<unknown>): SessionObjectClass<unknown> {
  const call = async (object: object, id: string, name: string, depth: number, arg: unknown) => {
    const calls = openOf(id);
    const mine: Open = { depth };
    calls.add(mine);
    try {
      return await (Base.prototype as unknown as Record<string, Method>)[name]!.call(object, arg);
    } finally {
      calls.delete(mine);
    }
  };
  return class extends Base {
    readonly #id = this.ctx.id.toString();

    constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
      const { SESSIONS } = env as unknown as { SESSIONS: DurableObjectNamespace };
      super(ctx, { ...env, SESSIONS: watch(SESSIONS, ctx.id.toString()) } as unknown as Cloudflare.Env);
    }

    // The Worker is the caller of these two.
    override fetch(request: Request): Promise<Response> {
      return call(this, this.#id, "fetch", 1, request) as Promise<Response>;
    }

    socketIoCall(arg: unknown): Promise<unknown> {
      return call(this, this.#id, "socketIoCall", 1, arg);
    }

    socketIoPeer(arg: { readonly depth?: number }): Promise<unknown> {
      return call(this, this.#id, "socketIoPeer", arg.depth ?? 1, arg);
    }
  };
}

/** The namespace as one of its objects uses it: each call says how deep it is nested. */
function watch(namespace: DurableObjectNamespace, caller: string): DurableObjectNamespace {
  return replace(namespace, "get", (...args) => {
    const stub = (namespace.get as (...args: unknown[]) => object)(...args);
    return replace(stub, "socketIoPeer", async (call) => {
      const depth = 1 + (await depthOf(caller));
      depths.push(depth);
      return (stub as { socketIoPeer(call: object): unknown }).socketIoPeer({ ...(call as object), depth });
    });
  });
}

/** How deep the calls are nested that an object does not answer, as if it waited for what it is about to call. */
async function depthOf(caller: string): Promise<number> {
  const calls = openOf(caller);
  for (const end = Date.now() + GRACE_MS; calls.size > 0 && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return Math.max(0, ...[...calls].map(({ depth }) => depth));
}

function replace<T extends object>(target: T, name: string, method: (...args: unknown[]) => unknown): T {
  return new Proxy(target, {
    get(_, key) {
      if (key === name) return method;
      const value = Reflect.get(target, key) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Returns the depths of all calls since it was last asked. */
export function takeDepths(): number[] {
  const taken = depths;
  depths = [];
  return taken;
}
