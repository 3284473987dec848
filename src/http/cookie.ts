import type { CookieOptions } from "./options.ts";

/**
 * The `Set-Cookie` header of a polling handshake, as engine.io writes it. It is for load balancers and logs: neither
 * client nor server reads it.
 */
export function toCookie(cookie: true | CookieOptions, sid: string): string {
  const given = cookie === true ? {} : cookie;
  const { name = "io", path = "/", httpOnly = true, sameSite = "lax", encode = encodeURIComponent } = given;
  const attributes = {
    "Max-Age": given.maxAge === undefined ? undefined : Math.floor(given.maxAge),
    Domain: given.domain,
    Path: path,
    Expires: given.expires?.toUTCString(),
    HttpOnly: Boolean(httpOnly),
    Secure: given.secure,
    Partitioned: given.partitioned,
    Priority: given.priority && capitalize(given.priority),
    SameSite: sameSite === true ? "Strict" : sameSite && capitalize(sameSite),
  };
  let written = `${name}=${encode(sid)}`;
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === true) written += `; ${attribute}`;
    else if (value !== undefined && value !== false) written += `; ${attribute}=${value}`;
  }
  return written;
}

/** Attributes may be given in any case. */
function capitalize(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
}
