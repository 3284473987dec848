/** What `wrangler types` writes for you from your own wrangler.toml and secrets. */
declare namespace Cloudflare {
  interface Env {
    SECRET?: string;
    HANDSHAKES: RateLimit;
    EVENTS: AnalyticsEngineDataset;
    OTLP_URL: string;
    OTLP_KEY: string;
  }
}
