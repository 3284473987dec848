/** The tag of the WebSockets that carry a session, or want to. */
export function socketTag(sid: string): string {
  return `s:${sid}`;
}

/** The tag of the channels on which the polls of a session wait. */
export function pollTag(sid: string): string {
  return `p:${sid}`;
}
