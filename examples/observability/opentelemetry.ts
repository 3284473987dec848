import { defineServer, type ObservedEvent } from "socket.io-edge";

/** As many events go in one request to the collector. */
const MOST_IN_A_REQUEST = 100;

let waiting: ObservedEvent[] = [];

/** Sends events as log records over OTLP/HTTP: all that happen in one turn of the event loop go together. */
async function observe(event: ObservedEvent, env: Cloudflare.Env): Promise<void> {
  // A volatile broadcast may be dropped for thousands of clients at once.
  if (event.type === "drop") return;
  // Whoever comes first in a turn sends for the others.
  waiting.push(event);
  if (waiting.length > 1) return;
  await Promise.resolve();
  const events = waiting;
  waiting = [];
  for (let at = 0; at < events.length; at += MOST_IN_A_REQUEST) {
    const logRecords = events.slice(at, at + MOST_IN_A_REQUEST).map(toRecord);
    const resource = { attributes: toAttributes({ "service.name": "chat" }) };
    const body = {
      resourceLogs: [{ resource, scopeLogs: [{ scope: { name: "socket.io-edge" }, logRecords }] }],
    };
    const headers = { "content-type": "application/json", authorization: `Bearer ${env.OTLP_KEY}` };
    const response = await fetch(`${env.OTLP_URL}/v1/logs`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    // An answer that nobody reads would keep one of the few connections that an object may have.
    await response.body?.cancel();
    if (!response.ok) throw new Error(`the collector answered ${response.status}`);
  }
}

/** https://opentelemetry.io/docs/specs/otel/logs/data-model/#severity-fields */
const SEVERITY = { error: 17, warn: 13, info: 9 };

function toRecord({ time, type, ...rest }: ObservedEvent): object {
  const level = "level" in rest ? rest.level : "info";
  return {
    timeUnixNano: `${time}000000`,
    severityNumber: SEVERITY[level],
    severityText: level,
    body: { stringValue: type },
    attributes: toAttributes(rest),
  };
}

function toAttributes(values: Record<string, unknown>): object[] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({
      key: key.includes(".") ? key : `socketio.${key}`,
      value: typeof value === "number" ? { doubleValue: value } : { stringValue: String(value) },
    }));
}

const server = defineServer({ observe }, (io) => {
  io.on("connection", (socket) => {
    socket.on("message", (text) => io.emit("message", text));
  });
});

export class SessionObject extends server.SessionObject {}

export default server.app;
