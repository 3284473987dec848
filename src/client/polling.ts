import { encodePayload, type Frame } from "../codec/index.ts";
import { type OpenTransport, type OutgoingFrame, type Transport, transportError } from "./transport.ts";

/** HTTP long-polling over `fetch`: one GET waits all the time, one POST at a time carries what is written. */
export const openPolling: OpenTransport = (options, host) => {
  const abort = new AbortController();
  let reading = Promise.resolve();
  let writing: Promise<void> | undefined;
  let isPaused = false;

  async function request(body?: string): Promise<string | undefined> {
    let status: number | undefined;
    let context: unknown;
    try {
      const response = await fetch(host.url_(), {
        method: body ? "POST" : "GET",
        body,
        headers: options.extraHeaders,
        // A Worker refuses the field itself, so it has a value only when somebody wants it.
        credentials: options.withCredentials ? "include" : undefined,
        signal: abort.signal,
      });
      if (response.ok) return await response.text();
      status = response.status;
      context = response;
    } catch (error) {
      context = error;
    }
    host.onEnd_("transport error", transportError(`fetch ${body ? "write" : "read"} error`, status, context));
    return undefined;
  }

  async function read(): Promise<void> {
    while (!isPaused) {
      const body = await request();
      if (body === undefined) return;
      for (const frame of body.split("\x1e")) {
        host.onFrame_(frame);
        // What a packet causes comes before the next packet, above all before a close.
        await 0;
      }
    }
  }

  async function write(frames: readonly OutgoingFrame[]): Promise<void> {
    const body = await request(encodePayload(await Promise.all(frames.map(toFrame))));
    if (body === undefined) return;
    transport.writable = true;
    host.onDrain_();
  }

  const transport: Transport = {
    name: "polling",
    writable: true,
    send_(frames) {
      writing = write(frames);
    },
    close_(isGraceful) {
      isPaused = true;
      isGraceful ? request("1") : abort.abort();
    },
    pause_() {
      isPaused = true;
      return Promise.all([reading, writing]);
    },
    resume_() {
      isPaused = false;
      // A loop that has not seen the pause yet goes on by itself, and this one waits behind it.
      reading = reading.then(read);
    },
  };
  transport.resume_?.();
  return transport;
};

async function toFrame(frame: OutgoingFrame): Promise<Frame> {
  return frame instanceof Blob ? new Uint8Array(await frame.arrayBuffer()) : frame;
}
