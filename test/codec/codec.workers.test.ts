import { expect, it } from "vitest";
import {
  CodecError,
  decodeFrame,
  decodePayload,
  encodePacket,
  encodePayload,
  type Frame,
  PacketDecoder,
  PacketType,
  type SocketPacket,
} from "../../src/codec/index.ts";

const packet: SocketPacket = {
  type: PacketType.EVENT,
  nsp: "/files",
  id: 7,
  data: ["file", { name: "€.bin", parts: [new Uint8Array([0, 255, 30])] }],
};
const header = '51-/files,7["file",{"name":"€.bin","parts":[{"_placeholder":true,"num":0}]}]';

it("carries bytes through a WebSocket of workerd", async () => {
  const { 0: client, 1: server } = new WebSocketPair();
  client.binaryType = "arraybuffer";
  const decoder = new PacketDecoder();
  const received = new Promise<SocketPacket>((resolve, reject) => {
    client.addEventListener("message", ({ data }) => {
      const decoded = decoder.add(decodeFrame(data as string | ArrayBuffer).data ?? "");
      if (decoded) resolve(decoded);
    });
    client.addEventListener("close", () => reject(new Error("closed")));
  });
  client.accept();
  server.accept();
  const [text, ...attachments] = encodePacket(packet) as [string, ...Uint8Array[]];
  expect(text).toBe(header);
  server.send(`4${text}`);
  for (const attachment of attachments) server.send(attachment);
  expect(await received).toStrictEqual(packet);
});

it("carries bytes through a polling payload in workerd", () => {
  const [text, bytes] = encodePacket(packet) as [string, Uint8Array];
  const body = encodePayload([`4${text}`, bytes]);
  expect(body).toBe(`4${header}\x1ebAP8e`);
  const decoder = new PacketDecoder();
  const decoded = decodePayload(body).packets.map(({ data }) => decoder.add(data as Frame));
  expect(decoded).toStrictEqual([undefined, packet]);
});

it("reads and refuses base64 in workerd as on other platforms", () => {
  const bytes = Uint8Array.from({ length: 100_001 }, (_, i) => i & 255);
  expect(decodePayload(encodePayload([bytes])).packets).toStrictEqual([{ type: "message", data: bytes }]);
  expect(decodePayload("bAQIDBA")).toStrictEqual({
    packets: [{ type: "message", data: new Uint8Array([1, 2, 3, 4]) }],
    error: null,
  });
  expect(decodePayload("bAQI_").error).toStrictEqual(new CodecError("INVALID_BASE64"));
});

it("refuses data that is nested 10,000 levels deep instead of overflowing the stack", () => {
  const deep: unknown = JSON.parse(`${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`);
  const encode = () => encodePacket({ type: PacketType.EVENT, nsp: "/", data: ["a", deep] });
  expect(encode).toThrow(new CodecError("CIRCULAR"));
});
