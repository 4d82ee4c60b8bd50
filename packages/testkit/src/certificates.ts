/**
 * Certificates for tests: an authority of the test's own, and what it issues. Valid for a day, unless a test asks for
 * another time, and trusted by nobody else.
 */
export interface Identity {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

export interface Authority {
  /** PEM: what a client or server trusts that is to know the authority's identities. */
  readonly certificate: string;
  /**
   * For a server at 127.0.0.1 and under `name`, or a client called so. With an RSA key of so many bits, where that is said.
   * `validDays`: from when until when, from now on.
   */
  issue(name: string, rsaBits?: number, validDays?: readonly [from: number, to: number]): Promise<Identity>;
  /** For a server under `name` and no address. */
  issueForName(name: string): Promise<Identity>;
}

const DAY_MS = 86_400_000;

/** `keyType`: of its key and of those that it issues. */
export async function createAuthority(name: string, keyType: 'ec' | 'rsa' = 'ec'): Promise<Authority> {
  // On demand: most tests need no certificate, and its loading takes a tenth of a second.
  const { generate } = await import('selfsigned');
  const own = await generate(named(name), {
    ...common(keyType),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  });
  async function issued(
    subject: string,
    altNames: AltName[],
    rsaBits?: number,
    validDays?: readonly [from: number, to: number],
  ): Promise<Identity> {
    const { cert, private: key } = await generate(named(subject), {
      ...(rsaBits === undefined
        ? common(keyType, validDays)
        : { ...common('rsa', validDays), keySize: rsaBits }),
      ca: { cert: own.cert, key: own.private },
      extensions: [{ name: 'subjectAltName', altNames }],
    });
    return { certificate: cert, key };
  }

  return {
    certificate: own.cert,
    issue: (subject, rsaBits, validDays) =>
      issued(
        subject,
        [
          { type: 2, value: subject },
          { type: 7, ip: '127.0.0.1' },
        ],
        rsaBits,
        validDays,
      ),
    issueForName: (subject) => issued(subject, [{ type: 2, value: subject }]),
  };
}

type AltName = { readonly type: 2; readonly value: string } | { readonly type: 7; readonly ip: string };

function named(name: string) {
  return [{ name: 'commonName', value: name }];
}

function common(keyType: 'ec' | 'rsa', [from, to]: readonly [number, number] = [-1, 1]) {
  const now = Date.now();
  return {
    keyType,
    algorithm: 'sha256',
    notBeforeDate: new Date(now + from * DAY_MS),
    notAfterDate: new Date(now + to * DAY_MS),
  } as const;
}
