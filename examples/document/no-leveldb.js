/** Stands in for y-leveldb, which needs a file system. The class is imported by y-socket.io, and never made. */
export class LeveldbPersistence {}
