/** Keys that are used in milliseconds are taken, others are refused before anything is computed with them. Takes about 2 s. */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { areSmallCertificates, isSmallPrivateKey } from './key-sizes.ts';

function element(tag: number, ...content: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(content);
  if (bytes.length < 0x80) return Buffer.concat([Buffer.from([tag, bytes.length]), bytes]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([Buffer.from([tag, 0x83]), length.subarray(1), bytes]);
}

const sequence = (...content: readonly Buffer[]) => element(0x30, ...content);
const oid = (hex: string) => element(0x06, Buffer.from(hex, 'hex'));
const small = (value: number) => element(0x02, Buffer.from([value]));
/** With its highest bit set. */
const integer = (bits: number) =>
  element(0x02, Buffer.concat([Buffer.from([0, 0x80]), randomBytes(bits / 8 - 1)]));
const exponent = element(0x02, Buffer.from([1, 0, 1]));

const pem = (label: string, der: Buffer) =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;

const RSA = sequence(oid('2a864886f70d010101'), element(0x05));

/** As long as a key of that many bits, and none. */
function rsaKey(bits: number, publicExponent = exponent): Buffer {
  const halves = Array.from({ length: 5 }, () => integer(bits / 2));
  return sequence(small(0), integer(bits), publicExponent, integer(bits), ...halves);
}

const pkcs8 = (algorithm: Buffer, key: Buffer) =>
  pem('PRIVATE KEY', sequence(small(0), algorithm, element(0x04, key)));

function certificateOf(algorithm: Buffer, key: Buffer, version = element(0xa0, small(2))): string {
  const body = sequence(
    version,
    integer(64),
    sequence(),
    sequence(),
    sequence(),
    sequence(),
    sequence(algorithm, element(0x03, Buffer.from([0]), key)),
  );
  return pem('CERTIFICATE', sequence(body, sequence(), element(0x03, Buffer.from([0]))));
}

const rsaCertificate = (bits: number, publicExponent = exponent) =>
  certificateOf(RSA, sequence(integer(bits), publicExponent));

type ExportTypes = 'pkcs1' | 'pkcs8' | 'sec1';
const exported = (key: KeyObject, type: ExportTypes) => String(key.export({ format: 'pem', type }));

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

test.each<[string, string]>([
  ['RSA', exported(rsa, 'pkcs8')],
  ['RSA, PKCS #1', exported(rsa, 'pkcs1')],
  ['RSA-PSS', exported(generateKeyPairSync('rsa-pss', { modulusLength: 2_048 }).privateKey, 'pkcs8')],
  ['P-256', exported(p256, 'pkcs8')],
  ['P-256, SEC 1', exported(p256, 'sec1')],
  [
    'P-256 as openssl ecparam writes it',
    `${pem('EC PARAMETERS', oid('2a8648ce3d030107'))}${exported(p256, 'sec1')}`,
  ],
  ['P-384', exported(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey, 'pkcs8')],
  ['P-521', exported(generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey, 'sec1')],
  ['Ed25519', exported(generateKeyPairSync('ed25519').privateKey, 'pkcs8')],
  ['Ed448', exported(generateKeyPairSync('ed448').privateKey, 'pkcs8')],
  ['RSA of 8,192 bits', pkcs8(RSA, rsaKey(8_192))],
  ['RSA of 8,192 bits, PKCS #1', pem('RSA PRIVATE KEY', rsaKey(8_192))],
])('a key of %s is taken', (_name, key) => {
  expect(isSmallPrivateKey(key)).toBe(true);
});

const explicit = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }).privateKey;

test.each<[string, string]>([
  ['RSA of 8,200 bits', pkcs8(RSA, rsaKey(8_200))],
  ['RSA of 40,000 bits', pem('RSA PRIVATE KEY', rsaKey(40_000))],
  ['RSA with a large exponent', pkcs8(RSA, rsaKey(2_048, integer(2_048)))],
  [
    'DSA',
    exported(generateKeyPairSync('dsa', { modulusLength: 1_024, divisorLength: 160 }).privateKey, 'pkcs8'),
  ],
  [
    'DSA in its own form',
    pem('DSA PRIVATE KEY', sequence(small(0), ...Array.from({ length: 5 }, () => integer(1_024)))),
  ],
  ['another curve', exported(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey, 'pkcs8')],
  ['a curve that is written out', exported(explicit, 'pkcs8')],
  ['a curve that is written out, SEC 1', exported(explicit, 'sec1')],
  ['X25519', exported(generateKeyPairSync('x25519').privateKey, 'pkcs8')],
  [
    'a passphrase',
    String(rsa.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' })),
  ],
  ['two keys', exported(rsa, 'pkcs8') + exported(p256, 'pkcs8')],
  ['nothing', ''],
  ['a certificate', rsaCertificate(2_048)],
])('a key of %s is refused', (_name, key) => {
  expect(isSmallPrivateKey(key)).toBe(false);
});

test('certificates are judged by their keys, each of them', () => {
  const ec = certificateOf(
    sequence(oid('2a8648ce3d0201'), oid('2a8648ce3d030107')),
    Buffer.concat([Buffer.from([4]), randomBytes(64)]),
  );
  const withoutVersion = certificateOf(RSA, sequence(integer(2_048), exponent), Buffer.alloc(0));
  for (const taken of [rsaCertificate(2_048), rsaCertificate(8_192), ec, withoutVersion])
    expect(areSmallCertificates(taken)).toBe(true);
  expect(areSmallCertificates(ec + rsaCertificate(4_096))).toBe(true);
  for (const refused of [rsaCertificate(16_384), rsaCertificate(2_048, integer(64))])
    expect(areSmallCertificates(ec + refused)).toBe(false);
});

test('of bytes that are no key nothing is followed beyond them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (bytes, at) => {
      const key = Buffer.from(rsa.export({ format: 'der', type: 'pkcs8' }));
      key.set(bytes.subarray(0, key.length - (at % key.length)), at % key.length);
      for (const der of [Buffer.from(bytes), key]) {
        expect(typeof isSmallPrivateKey(pem('PRIVATE KEY', der))).toBe('boolean');
        expect(typeof areSmallCertificates(pem('CERTIFICATE', der))).toBe('boolean');
      }
    }),
  );
});
