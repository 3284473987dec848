/**
 * What the storage keys begin with that belong to `name`. The length of the name comes first, because clients choose
 * names (of dynamic namespaces, for example), and no name may make its keys look like those of another one.
 */
export function toPrefix(kind: string, name: string): string {
  return `${kind}${name.length}:${name}:`;
}
