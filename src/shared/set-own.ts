/** Assigns to a key that a client may have chosen. A plain assignment to `__proto__` would run a setter. */
export function setOwn(target: object, key: PropertyKey, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else (target as Record<PropertyKey, unknown>)[key] = value;
}
