/** The errors of Engine.IO requests. Their numbers and texts are part of the protocol. */
const TABLE = {
  TRANSPORT_UNKNOWN: { code: 0, message: "Transport unknown", status: 400 },
  UNKNOWN_SID: { code: 1, message: "Session ID unknown", status: 400 },
  BAD_HANDSHAKE_METHOD: { code: 2, message: "Bad handshake method", status: 400 },
  BAD_REQUEST: { code: 3, message: "Bad request", status: 400 },
  FORBIDDEN: { code: 4, message: "Forbidden", status: 403 },
  OBJECT_FULL: { code: 4, message: "Forbidden", status: 403 },
  HEADERS_TOO_LARGE: { code: 3, message: "Request header fields too large", status: 431 },
  UNSUPPORTED_PROTOCOL_VERSION: { code: 5, message: "Unsupported protocol version", status: 400 },
} as const;

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
    const { code, message, status } = TABLE[name];
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
