import type { ObjectSource } from "../objects/namespace.ts";
import type { HttpOptions } from "./options.ts";

export function toSource({ bindings, locationHint, jurisdiction }: HttpOptions): ObjectSource {
  return {
    binding: bindings?.sessions ?? "SESSIONS",
    className: "SessionObject",
    locationHint,
    jurisdiction,
  };
}
