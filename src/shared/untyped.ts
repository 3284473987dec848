/**
 * A value nobody has checked: what `JSON.parse` gives. Socket.IO's public types hand event arguments and `socket.data`
 * out unchecked unless generics are given, so code written for it compiles; nothing else in this project is untyped.
 */
export type Untyped = ReturnType<typeof JSON.parse>;
