/** Paths of fields as people write them: webhooks[3].url. */
export function pathInto(path: string, name: string): string {
  if (/^\d+$/.test(name)) return `${path}[${name}]`;
  return path === '' ? name : `${path}.${name}`;
}
