import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { Server } from "socket.io";
import { chat } from "./app.ts";

const page = await readFile(new URL("../public/index.html", import.meta.url));

const http = createServer((_, response) => {
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end(page);
});

chat(new Server(http));

http.listen(3000, () => console.log("http://localhost:3000"));
