/** URLs and headers as they may be shown: what is a secret by its place or its name is masked, the rest helps to find a mistake. */
export const MASK = '***';

// By their name. A webhook's signature is no secret: it tells whoever looks for a mistake whether it was made.
const SECRET_HEADER = /auth|cookie|token|secret|key|password|credential|(?<!^webhook-)signature/i;
const SECRET_PARAMETER = /auth|token|secret|key|pass|pwd|credential|signature|^sig$|^code$|^sas$|session/i;

export function isSecretHeader(name: string): boolean {
  return SECRET_HEADER.test(name);
}

export function isSecretParameter(name: string): boolean {
  return SECRET_PARAMETER.test(name);
}

export function maskHeaders<Value>(
  headers: Readonly<Record<string, Value>>,
  /** Others, in lower case, that are secrets whatever their name. */
  secretNames: readonly string[] = [],
): Record<string, Value | typeof MASK> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      isSecretHeader(name) || secretNames.includes(name.toLowerCase()) ? MASK : value,
    ]),
  );
}

/** The password, a user without one (keys are written so), and parameters whose names tell a secret. */
export function maskUrl(text: string): string {
  const url = new URL(text);
  const secrets = [...new Set(url.searchParams.keys())].filter(isSecretParameter);
  if (url.username === '' && url.password === '' && secrets.length === 0) return text;
  if (url.password !== '') url.password = MASK;
  else if (url.username !== '') url.username = MASK;
  for (const name of secrets) url.searchParams.set(name, MASK);
  return url.href;
}
