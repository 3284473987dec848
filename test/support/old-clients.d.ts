/** Versions that ship no types for their ES module. */
declare module "socket.io-client-2.5" {
  const io: (url: string, options: object) => unknown;
  export default io;
}
declare module "socket.io-client-3.1" {
  export const io: (url: string, options: object) => unknown;
}
declare module "socket.io-client-4.0" {
  export const io: (url: string, options: object) => unknown;
}
