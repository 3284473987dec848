/** The errors of Engine.IO requests. Their numbers and texts are part of the protocol. */
const TABLE = {
  TRANSPORT_UNKNOWN: [0, "Transport unknown"],
  UNKNOWN_SID: [1, "Session ID unknown"],
  BAD_HANDSHAKE_METHOD: [2, "Bad handshake method"],
  BAD_REQUEST: [3, "Bad request"],
  FORBIDDEN: [4, "Forbidden", 403],
  OBJECT_FULL: [4, "Forbidden", 403],
  HEADERS_TOO_LARGE: [3, "Request header fields too large", 431],
  UNSUPPORTED_PROTOCOL_VERSION: [5, "Unsupported protocol version"],
} as const satisfies Record<string, readonly [code: number, message: string, status?: number]>;

export type EngineErrorName = keyof typeof TABLE;

/** A request that is refused before it reaches a session. */
export class EngineError extends Error {
  /** What `observe` calls it. */
  readonly id: EngineErrorName;
  /** The number clients see, 0 to 5. */
  readonly code: number;
  readonly status: number;
  /** What was wrong, for logs and `connection_error`. Clients never see it. */
  readonly context: Record<string, unknown>;
  /** The text that the client receives; by default the standard text. */
  readonly publicMessage: string;

  constructor(name: EngineErrorName, context: Record<string, unknown> = {}, publicMessage?: string) {
    const [code, message, status = 400] = TABLE[name];
    super(message);
    this.name = "EngineError";
    this.id = name;
    this.code = code;
    this.status = status;
    this.context = context;
    this.publicMessage = publicMessage ?? message;
  }
}

/** What listeners of `connection_error` receive. */
export interface ConnectionError<R> {
  readonly req: R;
  readonly code: number;
  readonly message: string;
  readonly context: Record<string, unknown>;
}
