/** The option `connectionStateRecovery`. */
export interface RecoveryOptions {
  /** How long a client may be away, ms. @default 120000 */
  maxDisconnectionDuration?: number;
  /** Whether a client that comes back skips the middlewares of namespaces. @default true */
  skipMiddlewares?: boolean;
  /**
   * How much the sockets of clients that are away, and the packets that they miss, may take on disk, bytes. Beyond that
   * the oldest are removed, and a client that comes back to one of them starts anew.
   * @default 50000000
   */
  maxBytes?: number;
}
