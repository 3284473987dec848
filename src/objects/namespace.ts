import * as workers from "cloudflare:workers";

/** Where the Worker finds its objects. */
export interface ObjectSource {
  /** Name of the Durable Object binding. */
  readonly binding: string;
  /** Name of the exported class, which is used when there is no binding. */
  readonly className: string;
  readonly locationHint?: DurableObjectLocationHint | undefined;
  readonly jurisdiction?: DurableObjectJurisdiction | undefined;
}

/** The namespace of the objects. @throws Error with the configuration to add */
export function findNamespace(env: Cloudflare.Env, source: ObjectSource): DurableObjectNamespace {
  const { binding, className, jurisdiction } = source;
  const candidate = (env as unknown as Record<string, unknown>)[binding] ?? exportsOfWorker()[className];
  if (!isNamespace(candidate)) throw new Error(toCure(binding, className));
  return jurisdiction === undefined ? candidate : candidate.jurisdiction(jurisdiction);
}

/** The Worker's own exports, as `ctx.exports` has them, without a `ctx`; from compatibility date 2025-11-17 on. */
function exportsOfWorker(): Record<string, unknown> {
  return (workers as { exports?: Record<string, unknown> }).exports ?? {};
}

function isNamespace(value: unknown): value is DurableObjectNamespace {
  // The Worker's own exports are functions, also those of classes that have no migration.
  const isCandidate = typeof value === "function" || (typeof value === "object" && value !== null);
  return isCandidate && "idFromName" in value;
}

function toCure(binding: string, className: string): string {
  return (
    `socket.io-edge: there is no Durable Object namespace "${binding}"; export the class from your main module ` +
    `(export class ${className} extends server.SessionObject {}) and add to wrangler.toml: ` +
    `[[durable_objects.bindings]] name = "${binding}" class_name = "${className}" ` +
    `and [[migrations]] tag = "v1" new_sqlite_classes = ["${className}"]`
  );
}
