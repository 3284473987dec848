import { LiveObject } from "./live-object.ts";
import { fromText, toText } from "./plain-values.ts";
import { ABORT_REASON, type Command, type ObjectAddress, type ObjectReport } from "./protocol.ts";
import { TimerWatch } from "./timer-watch.ts";

type Exports = Record<string, unknown>;
type AnyClass = new (...args: never[]) => object;
type AnyFunction = (...args: unknown[]) => unknown;

/** The bundled Worker as a function: each call returns a new copy of the module, with its own variables. */
export type Load = (
  module: { exports: Exports },
  exports: Exports,
  require: (name: string) => unknown,
) => void;

/** The modules that the bundle imports from outside: modules of the platform, text, WebAssembly. */
export type Externals = Readonly<Record<string, Record<string, unknown>>>;

interface EntrypointContext {
  readonly env: Record<string, unknown>;
  readonly ctx: { readonly exports?: Record<string, unknown> };
}

/**
 * Runs a Worker in such a way that its module can be renewed while its WebSockets stay open. The runtime sees proxies,
 * each of which constructs from, and calls, the current copy of the module.
 */
export class Harness {
  readonly #load: Load;
  readonly #externals: Externals;
  readonly #secret: string;
  readonly #objects = new Map<string, LiveObject>();
  readonly #noted = new Set<string>();
  readonly #timerWatch = new TimerWatch();
  #current: Exports;
  #generation = 0;

  constructor(load: Load, externals: Externals, secret: string) {
    this.#load = load;
    this.#externals = externals;
    this.#secret = secret;
    this.#current = this.#evaluate();
  }

  /** Returns the kind of each export, for a kit without a configuration. */
  kinds(bases: Record<string, AnyClass>): Record<string, string> {
    const kindOf = (value: unknown) => {
      if (typeof value !== "function") return typeof value;
      const { prototype } = value as { prototype?: unknown };
      return Object.keys(bases).find((name) => prototype instanceof (bases[name] as AnyClass)) ?? "function";
    };
    return Object.fromEntries(Object.entries(this.#current).map(([name, value]) => [name, kindOf(value)]));
  }

  /** An exported Durable Object class. */
  durableObject(name: string): unknown {
    return new Proxy(this.#class(name), {
      construct: (_, [ctx, env]) => this.#construct(name, ctx as DurableObjectState, env),
    });
  }

  /** Any other export: a handler such as `export default { fetch }`, an entrypoint class, a workflow. */
  export(name: string): unknown {
    const first = this.#current[name];
    if (typeof first === "function") {
      return new Proxy(first as AnyClass, {
        construct: (_, args) => Reflect.construct(this.#class(name), args) as object,
      });
    }
    if (typeof first !== "object" || first === null) return first;
    return new Proxy(first, { get: (_, key) => this.#method(name, key) });
  }

  /** Answers the kit. Only a Worker of the kit itself can reach this, through a service binding. */
  async answer(request: Request, context: EntrypointContext): Promise<Response> {
    try {
      const command = fromText(await request.text()) as Command;
      return new Response(toText({ result: await this.#obey(command, context) }));
    } catch (error) {
      return new Response(toText({ error: error instanceof Error ? error.message : String(error) }));
    }
  }

  #evaluate(): Exports {
    const module: { exports: Exports } = { exports: {} };
    const require = (name: string) => {
      const found = this.#externals[name];
      if (found === undefined) throw new Error(`the module "${name}" was not bundled`);
      return found.default ?? found;
    };
    this.#load(module, module.exports, require);
    return module.exports;
  }

  #class(name: string): AnyClass {
    return this.#current[name] as AnyClass;
  }

  #method(name: string, key: string | symbol): unknown {
    const target = this.#current[name] as Record<string | symbol, unknown>;
    if (typeof target[key] !== "function") return target[key];
    return (...args: unknown[]) => {
      const owner = this.#current[name] as Record<string | symbol, AnyFunction>;
      return owner[key]?.(...args);
    };
  }

  #construct(className: string, ctx: DurableObjectState, env: unknown): object {
    const live = new LiveObject(className, ctx, this.#generation, this.#timerWatch);
    const key = toKey({ className, id: live.id });
    const before = this.#objects.get(key);
    if (before?.generation === this.#generation && !before.isEnded) this.#note(live);
    const instance = live.run(() => Reflect.construct(this.#class(className), [ctx, env]) as object);
    live.watch(instance, (request) => this.#asked(request, live));
    this.#objects.set(key, live);
    return instance;
  }

  /** Whether the runtime put the object to sleep or ended it without renewing its module. */
  #note(live: LiveObject): void {
    const name = `${live.className} "${live.label}"`;
    if (this.#noted.has(name)) return;
    this.#noted.add(name);
    console.warn(
      `socket.io-edge/testing: the object ${name} has woken up and its module has not been loaded anew, as it may be ` +
        "in production: a variable of the module that survived this did so by accident. " +
        "`await server.nap()` renews both.",
    );
  }

  async #obey(command: Command, context: EntrypointContext): Promise<unknown> {
    switch (command.type) {
      case "look":
        return [...this.#objects.values()].map((live) => this.#report(live));
      case "renew":
        return this.#renew();
      case "emit":
        return this.#emit(command, context.env);
      default:
        return this.#askObject(command, context);
    }
  }

  /** What an earlier copy of the module has begun ended with its instance. */
  #report({ address, underWay, generation }: LiveObject): ObjectReport {
    return { ...address, underWay: generation === this.#generation ? underWay : [] };
  }

  async #renew(): Promise<ObjectAddress[]> {
    this.#current = this.#evaluate();
    this.#generation++;
    // What the module starts while it is loaded, such as a dynamic import, belongs to this request and ends with it.
    await new Promise((resolve) => setTimeout(resolve));
    return [...this.#objects.values()].map(({ address }) => address);
  }

  async #emit({ chain, name }: Extract<Command, { type: "emit" }>, env: unknown): Promise<unknown> {
    const makers = Object.values(this.#current).filter(
      (value): value is { socketIoEmitter(env: unknown, whom?: { name: string }): unknown } =>
        typeof value === "function" && "socketIoEmitter" in value,
    );
    if (makers[0] === undefined) {
      throw new Error(
        "the Worker exports no class of defineServer(): export class SessionObject extends ...",
      );
    }
    const whom = name === undefined ? undefined : { name };
    let target = makers[0].socketIoEmitter(env, whom) as Record<string, unknown>;
    for (const [key, args] of chain) {
      const member = target[key];
      target = (
        args === undefined ? member : (member as AnyFunction).apply(target, [...args])
      ) as typeof target;
    }
    return await target;
  }

  /** Calls the object through the runtime, so that its storage may be used. */
  async #askObject(command: Extract<Command, { object: ObjectAddress }>, context: EntrypointContext) {
    const { className, id, name } = command.object;
    const candidates = [context.ctx.exports?.[className], ...Object.values(context.env)];
    const headers = { [this.#secret]: command.type };
    for (const namespace of candidates.filter(isNamespace)) {
      const objectId = findId(namespace, id, name);
      if (objectId === undefined) continue;
      const stub = namespace.get(objectId);
      const response = await stub.fetch("http://object/", { headers });
      return fromText(await response.text());
    }
    throw new Error(`no binding leads to the class ${className}`);
  }

  #asked(request: Request, live: LiveObject): Promise<Response> | undefined {
    const type = request.headers.get(this.#secret);
    if (type === null) return undefined;
    if (type === "abort") {
      live.isEnded = true;
      live.ctx.abort(ABORT_REASON);
    }
    const answer = type === "rows" ? live.rows() : live.generation < this.#generation;
    return Promise.resolve(new Response(toText(answer)));
  }
}

function toKey({ className, id }: ObjectAddress): string {
  return `${className}/${id}`;
}

/** The id with the object's name, which an instance that is woken by an id alone would not know. */
function findId(namespace: DurableObjectNamespace, id: string, name = ""): DurableObjectId | undefined {
  const named = namespace.idFromName(name);
  if (named.toString() === id) return named;
  try {
    return namespace.idFromString(id);
  } catch {
    return undefined; // the id belongs to another class
  }
}

function isNamespace(value: unknown): value is DurableObjectNamespace {
  const isObject = typeof value === "function" || (typeof value === "object" && value !== null);
  return isObject && "idFromString" in value;
}
