import { WebSocket } from "ws";

/** A connection to workerd's inspector, which speaks the Chrome DevTools Protocol. */
export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (message: { result: unknown; error?: { message: string } }) => void>();
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      this.#waiting.get(message.id)?.(message);
    });
  }

  static async open(port: number): Promise<Inspector> {
    const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
      webSocketDebuggerUrl: string;
    }[];
    const socket = new WebSocket(targets.at(-1)!.webSocketDebuggerUrl, { maxPayload: 0 });
    await new Promise((resolve, reject) => {
      socket.once("error", reject);
      socket.once("open", resolve);
    });
    return new Inspector(socket);
  }

  call<Result = unknown>(method: string, params?: object): Promise<Result> {
    const id = ++this.#lastId;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        this.#waiting.delete(id);
        if (error === undefined) resolve(result as Result);
        else reject(new Error(`${method}: ${error.message}`));
      });
    });
  }

  close(): void {
    this.#socket.terminate();
  }
}
