/**
 * The property under which our proxies answer with the object behind them. It is a registered symbol, so that nobody
 * meets it by accident and two copies of this package understand each other.
 */
export const RAW: unique symbol = Symbol.for("socket.io-edge.raw") as never;

/** As {@link RAW}, for code that may change the object: its tracker then looks for changes by comparison. */
export const ESCAPING_RAW: unique symbol = Symbol.for("socket.io-edge.lend") as never;

/** The object behind a proxy of ours; any other value as it is. */
export function unwrap(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return (value as { [RAW]?: object })[RAW] ?? value;
}
