/**
 * Stands in for methods that attach to an HTTP server on Node. Its error says what to do instead, which "is not a
 * function" would not.
 */
export function missing(): never {
  throw new Error("there is no HTTP server here: export the app, and put Hono middlewares in front of it");
}
