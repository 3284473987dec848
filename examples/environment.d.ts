/** What `wrangler types` writes for you from your own wrangler.toml and secrets. */
declare namespace Cloudflare {
  interface Env {
    SECRET?: string;
    HANDSHAKES: RateLimit;
  }
}
