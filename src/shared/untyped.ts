/**
 * A value that nobody has checked: what `JSON.parse` returns. It stands where code that was written for Socket.IO on
 * Node would not compile otherwise: as the default of type parameters (event arguments, `socket.data`), in the type of
 * a class with any type parameters, and where one type is derived from another by `timeout()`. Any other use gives its
 * reason.
 */
export type Untyped = ReturnType<typeof JSON.parse>;
