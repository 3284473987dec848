import { defineServer } from "socket.io-edge";
import { YSocketIO } from "y-socket.io/dist/server";
import { applyUpdate, encodeStateAsUpdate } from "yjs";

const server = defineServer({}, (io, { ctx }) => {
  const documents = new YSocketIO(io);
  documents.persistence = inSqlite(ctx.storage.sql);
  // Awareness looks every three seconds for people who have gone, and a timer keeps the object awake, and billed.
  documents.on("document-loaded", (document) => clearInterval(document.awareness._checkInterval));
  documents.initialize();
});

/** What y-socket.io asks of y-leveldb: brings a document back, and adds each change to it. */
function inSqlite(sql) {
  sql.exec("CREATE TABLE IF NOT EXISTS updates (n INTEGER PRIMARY KEY, name TEXT, bytes BLOB)");
  sql.exec("CREATE INDEX IF NOT EXISTS updates_by_name ON updates (name)");
  const add = (name, update) => sql.exec("INSERT INTO updates (name, bytes) VALUES (?, ?)", name, update);
  return {
    bindState(name, document) {
      for (const { bytes } of sql.exec("SELECT bytes FROM updates WHERE name = ? ORDER BY n", name)) {
        applyUpdate(document, new Uint8Array(bytes));
      }
      document.on("update", (update) => add(name, update));
    },
    /** Everybody has gone: one row is enough. */
    writeState(name, document) {
      sql.exec("DELETE FROM updates WHERE name = ?", name);
      add(name, encodeStateAsUpdate(document));
    },
  };
}

export class SessionObject extends server.SessionObject {}
export default server.app;
