/** The tag of the WebSockets that carry a session, or may take it over. */
export function socketTag(sid: string): string {
  return `s:${sid}`;
}

/** The tag of the channels of a session's waiting polls. */
export function pollTag(sid: string): string {
  return `p:${sid}`;
}
