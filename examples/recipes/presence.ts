import { defineServer } from "socket.io-edge";

const USER = "user:";

const server = defineServer({}, (io) => {
  const { adapter } = io.of("/");

  // A user is there as long as the user's room is: it has a member for each tab.
  const online = () =>
    [...adapter.rooms.keys()].filter((room) => room.startsWith(USER)).map((room) => room.slice(USER.length));
  adapter.on("create-room", (room) => {
    if (room.startsWith(USER)) io.emit("online", room.slice(USER.length));
  });
  adapter.on("delete-room", (room) => {
    if (room.startsWith(USER)) io.emit("offline", room.slice(USER.length));
  });

  io.on("connection", (socket) => {
    socket.join(USER + socket.handshake.auth.user);
    // After a restart each client is told again who is there, so nobody is missed who has not come back.
    socket.emit("users", online().sort());
  });
});

export class SessionObject extends server.SessionObject {}

export default server.app;
