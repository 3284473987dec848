/** Options that are times in ms, for which a timer is set: it can neither be infinite nor go off all the time. */
const TIME = /^dataTtl|(Interval|[Tt]imeout|Time|Duration)$/;

/**
 * Returns the options, with its default for each that is undefined or null.
 * @throws Error for an option that is not of its default's type, and for a number that cannot be meant
 */
export function withDefaults<T extends object, D extends object>(options: T, defaults: D): T & D {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value != null));
  for (const [name, standard] of Object.entries(defaults)) {
    if (!(name in given)) continue;
    if (typeof standard === "number") requireNumber(name, given[name], standard);
    else requireType(name, given[name], typeof standard, standard);
  }
  return { ...defaults, ...given } as T & D;
}

/** @throws Error that names the option, unless it is a whole number from 0 on, or a time from 1 on, or no limit */
export function requireNumber(name: string, value: unknown, standard: unknown): void {
  const isTime = TIME.test(name);
  const isRight = Number.isInteger(value) ? Number(value) >= Number(isTime) : !isTime && value === Infinity;
  if (!isRight)
    refuse(name, value, `whole number from ${isTime ? "1 on (ms)" : "0 on, or Infinity"}`, standard);
}

/** @throws Error that names the option, unless its type is among those that are listed in a sentence */
export function requireType(name: string, value: unknown, types: string, standard: unknown): void {
  if (!types.includes(typeof value)) refuse(name, value, types, standard);
}

/** @throws Error that names an option, and says what it has to be, and what it is when it is left out */
export function refuse(name: string, value: unknown, rule: string, standard: unknown): never {
  throw new Error(
    `the option ${name} has to be of this kind: ${rule}; it is the ${typeof value} ${value}. Leave it out for ${standard}`,
  );
}
