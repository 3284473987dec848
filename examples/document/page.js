import { SocketIOProvider } from "y-socket.io";
import * as Y from "yjs";

const field = document.getElementById("text");
const state = document.getElementById("state");
const shared = new Y.Doc();
const text = shared.getText("text");

const provider = new SocketIOProvider(location.origin, location.hash.slice(1) || "notes", shared, {});
// Awareness (who is here, where their cursor is) sends something every 15 s, and keeps the object from sleeping.
provider.awareness.setLocalState(null);
provider.on("status", ({ status }) => (state.textContent = status));

field.addEventListener("input", () => {
  const [start, removed, added] = difference(text.toString(), field.value);
  shared.transact(() => {
    text.delete(start, removed);
    text.insert(start, added);
  }, field);
});

text.observe((event, { origin }) => {
  if (origin === field) return;
  const [from, to] = [field.selectionStart, field.selectionEnd].map((at) => moved(at, event.delta));
  field.value = text.toString();
  field.setSelectionRange(from, to);
});

/** What one edit has changed: where, how much went, and what came. */
function difference(before, after) {
  let start = 0;
  while (start < Math.min(before.length, after.length) && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < Math.min(before.length, after.length) - start && before.at(-1 - end) === after.at(-1 - end))
    end += 1;
  return [start, before.length - start - end, after.slice(start, after.length - end)];
}

/** Where a place in the text is after somebody else's change. */
function moved(place, delta) {
  let at = 0;
  for (const { retain = 0, insert = "", delete: removed = 0 } of delta) {
    at += retain;
    if (at >= place) break;
    place += insert.length - Math.min(removed, place - at);
    at += insert.length;
  }
  return place;
}
