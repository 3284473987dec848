/**
 * Stands under names by which code for Node reaches for the HTTP server: "is not a function" would say nothing about
 * what to do instead.
 */
export function missing(): never {
  throw new Error("there is no HTTP server here: export the app, and put Hono middlewares in front of it");
}
