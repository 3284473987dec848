import { defineServer, snapshot } from "socket.io-edge";

const STEP_MS = 50;
/** After a restart the world is at most so many steps old. */
const SAVE_EVERY = 20;
/** So many steps after a restart, players who have not come back are removed. */
const FORGET_EVERY = 200;

interface World {
  step: number;
  players: Record<string, { x: number; speed: number }>;
}

const server = defineServer({}, (io) => {
  io.data.world = { step: 0, players: {} };

  // While the loop runs, its timer keeps the object awake, so a variable is safe. It is saved once a second.
  let world: World | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;

  function start(): World {
    world ??= snapshot(io.data.world) as World;
    timer ??= setInterval(step, STEP_MS);
    return world;
  }

  function stop() {
    clearInterval(timer);
    io.data.world = world;
    timer = world = undefined;
  }

  function step() {
    if (world === undefined) return;
    world.step++;
    for (const player of Object.values(world.players)) player.x += player.speed;
    if (world.step % FORGET_EVERY === 0) {
      const { rooms } = io.of("/").adapter;
      for (const name of Object.keys(world.players)) if (!rooms.has(name)) delete world.players[name];
    }
    if (world.step % SAVE_EVERY === 0) io.data.world = snapshot(world);
    io.volatile.emit("world", world);
  }

  io.on("connection", (socket) => {
    const name = String(socket.handshake.auth.name);
    socket.join(name);
    // The listener runs again when a client that polls says something after a restart: then, too, the loop starts.
    start().players[name] ??= { x: 0, speed: 0 };

    socket.on("speed", (speed: number) => {
      const player = start().players[name];
      if (player !== undefined) player.speed = speed;
    });

    socket.on("disconnect", () => {
      if (world !== undefined) delete world.players[name];
      if (io.sockets.sockets.size === 0) stop();
    });
  });
});

export class SessionObject extends server.SessionObject {}

export default server.app;
