/** Returns the options, with its default for each that is undefined or null. */
export function withDefaults<T extends object, D extends object>(options: T, defaults: D): T & D {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value != null));
  return { ...defaults, ...given } as T & D;
}
