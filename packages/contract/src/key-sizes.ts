/**
 * What a key is, read from its bytes before anything is computed with it. OpenSSL takes whatever it is given: decoding a DSA
 * key of 32,000 bits takes it eight seconds, and one signature with an RSA key of 40,000 bits three quarters of a minute, in
 * which the process does nothing else. Here RSA has 8,192 bits at most, and elliptic curves are known by name.
 *
 * Just enough of DER (X.690) for that: lengths are checked against what there is, and nothing is followed.
 */

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const VERSION_OF_CERTIFICATE = 0xa0;
const CURVE_OF_EC_KEY = 0xa0;

const RSA_BYTES_MAX = 8_192 / 8;
// 65,537 has three; more make a check of a signature slower, and nothing safer.
const RSA_EXPONENT_BYTES_MAX = 4;

/** By the bytes of their identifiers, in hexadecimal. */
const RSA = new Set(['2a864886f70d010101', '2a864886f70d01010a']);
const ELLIPTIC = '2a8648ce3d0201';
/** P-256, P-384, P-521. */
const CURVES = new Set(['2a8648ce3d030107', '2b81040022', '2b81040023']);
/** Ed25519, Ed448. */
const EDWARDS = new Set(['2b6570', '2b6571']);

/** A PEM label, and the reader of what stands below it. */
const PRIVATE_KEYS: Readonly<Record<string, (der: Buffer) => boolean>> = {
  'PRIVATE KEY': isSmallPkcs8,
  'RSA PRIVATE KEY': isSmallRsaKey,
  'EC PRIVATE KEY': isKnownEcKey,
};

const PEM = /-----BEGIN ([A-Z ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----/g;

/** Whether the text is one private key in PEM, without a passphrase, that is used in milliseconds. */
export function isSmallPrivateKey(pem: string): boolean {
  // A key of an elliptic curve may have its curve before it, for no reader.
  const blocks = [...pem.matchAll(PEM)].filter(([, label]) => label !== 'EC PARAMETERS');
  const [[, label = '', text = ''] = []] = blocks;
  const isSmall = Object.hasOwn(PRIVATE_KEYS, label) ? PRIVATE_KEYS[label] : undefined;
  return blocks.length === 1 && isSmall !== undefined && isSmall(Buffer.from(text, 'base64'));
}

/** Whether the keys of all certificates in the text are used in milliseconds. */
export function areSmallCertificates(pem: string): boolean {
  return [...pem.matchAll(PEM)].every(
    ([, label, text = '']) => label === 'CERTIFICATE' && isSmallCertificate(Buffer.from(text, 'base64')),
  );
}

function isSmallPkcs8(der: Buffer): boolean {
  const [version, algorithm, key] = childrenOf(der, SEQUENCE);
  if (version?.tag !== INTEGER || key?.tag !== OCTET_STRING) return false;
  return isKnown(algorithm, key.bytes, isSmallRsaKey);
}

/** PKCS #1: version, modulus, exponents and primes, none larger than the modulus. */
function isSmallRsaKey(der: Buffer): boolean {
  const [version, ...numbers] = childrenOf(der, SEQUENCE);
  const [, exponent] = numbers;
  return (
    version?.tag === INTEGER &&
    numbers.length === 8 &&
    numbers.every((number) => isInteger(number, RSA_BYTES_MAX)) &&
    isInteger(exponent, RSA_EXPONENT_BYTES_MAX)
  );
}

/** SEC 1: version, key, the curve's name. */
function isKnownEcKey(der: Buffer): boolean {
  const curve = childrenOf(der, SEQUENCE).find(({ tag }) => tag === CURVE_OF_EC_KEY);
  return curve !== undefined && isCurve(elementsOf(curve.bytes)[0]);
}

function isSmallCertificate(der: Buffer): boolean {
  const [body] = childrenOf(der, SEQUENCE);
  if (body?.tag !== SEQUENCE) return false;
  const fields = elementsOf(body.bytes);
  // Serial number, signature, issuer, validity and subject come before it; a version before these.
  const publicKey = fields[fields[0]?.tag === VERSION_OF_CERTIFICATE ? 6 : 5];
  const [algorithm, key] = publicKey?.tag === SEQUENCE ? elementsOf(publicKey.bytes) : [];
  // Its first byte tells how many bits are left over: none.
  return key?.tag === BIT_STRING && isKnown(algorithm, key.bytes.subarray(1), isSmallRsaPublicKey);
}

function isSmallRsaPublicKey(der: Buffer): boolean {
  const [modulus, exponent] = childrenOf(der, SEQUENCE);
  return isInteger(modulus, RSA_BYTES_MAX) && isInteger(exponent, RSA_EXPONENT_BYTES_MAX);
}

function isKnown(algorithm: Element | undefined, key: Buffer, isSmallRsa: (der: Buffer) => boolean): boolean {
  const [name, parameters] = algorithm?.tag === SEQUENCE ? elementsOf(algorithm.bytes) : [];
  if (name?.tag !== OBJECT_IDENTIFIER) return false;
  const identifier = name.bytes.toString('hex');
  if (RSA.has(identifier)) return isSmallRsa(key);
  // A curve may also be written out, with numbers of any size.
  return identifier === ELLIPTIC ? isCurve(parameters) : EDWARDS.has(identifier);
}

function isCurve(element: Element | undefined): boolean {
  return element?.tag === OBJECT_IDENTIFIER && CURVES.has(element.bytes.toString('hex'));
}

function isInteger(element: Element | undefined, bytesMax: number): boolean {
  if (element?.tag !== INTEGER) return false;
  // One that begins with a set bit has a zero before it.
  return element.bytes.length <= bytesMax + 1;
}

interface Element {
  readonly tag: number;
  readonly bytes: Buffer;
}

/** What the one element of the bytes holds; nothing if they are not one element of that kind. */
function childrenOf(der: Buffer, tag: number): Element[] {
  const [element] = elementsOf(der);
  return element?.tag === tag ? elementsOf(element.bytes) : [];
}

/** The elements that follow each other; nothing if one has no end. */
function elementsOf(der: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < der.length; ) {
    const [tag = 0, short = 0] = der.subarray(at, at + 2);
    const lengthBytes = short < 0x80 ? 0 : short & 0x7f;
    const begin = at + 2 + lengthBytes;
    // Four bytes tell lengths that no text here has; 0x80 would be a length that only its end tells.
    if (short === 0x80 || lengthBytes > 3 || begin > der.length) return [];
    const length = lengthBytes === 0 ? short : der.readUIntBE(at + 2, lengthBytes);
    if (begin + length > der.length) return [];
    elements.push({ tag, bytes: der.subarray(begin, begin + length) });
    at = begin + length;
  }
  return elements;
}
