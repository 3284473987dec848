/** Times that cannot be infinite: clients are told them as JSON, or they bound what is kept awake or stored. */
const FINITE = /^ping|^timeout|Time$|Duration/;
/** Times that cannot be 0: the alarm would go off all the time, or nothing would ever be there. */
const POSITIVE = /^dataTtl|^pingInterval/;

/** Returns the options without those that are undefined or null, which count as left out. */
export function givenOptions<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value != null)) as T;
}

/**
 * Returns the options, with its default for each that is undefined or null.
 * @throws Error for an option that is not of its default's type, and for a number that cannot be meant
 */
export function withDefaults<T extends object, D extends object>(options: T, defaults: D): T & D {
  const given = givenOptions(options) as Record<string, unknown>;
  for (const [name, standard] of Object.entries(defaults)) {
    if (!(name in given)) continue;
    if (typeof standard === "number") requireNumber(name, given[name], standard);
    else requireType(name, given[name], typeof standard, standard);
  }
  return { ...defaults, ...given } as T & D;
}

/** @throws Error that names the option, unless it is a number from 0 or 1 on, and finite where it has to be */
export function requireNumber(name: string, value: unknown, standard: unknown): void {
  const least = Number(POSITIVE.test(name));
  const isBounded = FINITE.test(name);
  if (typeof value === "number" && value >= least && (value < Infinity || !isBounded)) return;
  refuse(name, value, `number from ${least} on${isBounded ? " (ms), not" : ", or"} Infinity`, standard);
}

/** @throws Error that names the option, unless its type is among those that are listed in a sentence */
export function requireType(name: string, value: unknown, types: string, standard: unknown): void {
  if (!types.includes(typeof value)) refuse(name, value, types, standard);
}

/** @throws Error that names an option, and says what it has to be, and what it is when it is left out */
export function refuse(name: string, value: unknown, rule: string, standard: unknown): never {
  let text: string;
  try {
    text = String(value);
  } catch {
    // An object without a prototype, for example.
    text = "{}";
  }
  throw new Error(
    `the option ${name} has to be of this kind: ${rule}; it is the ${typeof value} ${text}. Leave it out for ${standard}`,
  );
}
