import { type DefaultEventsMap, defineServer, type Server } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";

interface Device {
  name: string;
  reading?: number;
  at?: number;
  isOn: boolean;
}

type Devices = Server<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, Device>;

const server = defineServer({ serveClient: clientFiles }, (io: Devices) => {
  const devices = io.of("/devices");
  const panels = io.of("/panels");

  devices.on("connection", (socket) => {
    socket.data.name = String(socket.handshake.auth.name ?? "unnamed").slice(0, 40);
    socket.data.isOn = socket.handshake.auth.isOn === true;
    panels.emit("device", { id: socket.id, ...socket.data });

    socket.on("reading", (reading) => {
      if (typeof reading !== "number") return;
      socket.data.reading = reading;
      socket.data.at = Date.now();
      panels.emit("device", { id: socket.id, ...socket.data });
    });

    socket.on("disconnect", () => panels.emit("gone", socket.id));
  });

  // Whoever opens the panel may switch everything. Yours would ask for a password: `panels.use(...)`.
  panels.on("connection", async (socket) => {
    socket.on("switch", async (id, isOn, answer) => {
      const device = devices.sockets.get(String(id));
      if (device === undefined) return answer("this device has gone");
      try {
        device.data.isOn = await device.timeout(5000).emitWithAck("switch", isOn === true);
        panels.emit("device", { id: device.id, ...device.data });
        answer();
      } catch {
        answer("this device does not answer");
      }
    });

    const all = await devices.fetchSockets();
    socket.emit(
      "devices",
      all.map(({ id, data }) => ({ id, ...data })),
    );
  });
});

export class SessionObject extends server.SessionObject {}
export default server.app;
