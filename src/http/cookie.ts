import { serialize } from "hono/utils/cookie";
import type { CookieOptions } from "./options.ts";

/** The `Set-Cookie` of a polling handshake, as engine.io writes it: it is for load balancers and logs, nobody reads it here. */
export function toCookie(cookie: true | CookieOptions, sid: string): string {
  const given = cookie === true ? {} : cookie;
  const { name = "io", path = "/", httpOnly = true, sameSite = "lax", encode, ...rest } = given;
  return serialize(name, encode?.(sid) ?? sid, {
    ...rest,
    path: path === false ? undefined : path,
    httpOnly: Boolean(httpOnly),
    sameSite: sameSite === true ? "strict" : sameSite === false ? undefined : sameSite,
  });
}
