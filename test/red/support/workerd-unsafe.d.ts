/** A module of the runtime for tests, behind the compatibility flag `unsafe_module`. */
declare module "workerd:unsafe" {
  const unsafe: {
    evict(stub: DurableObjectStub, options: { webSockets: "hibernate" | "close" }): Promise<void>;
  };
  export default unsafe;
}
