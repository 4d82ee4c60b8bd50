/**
 * Takes a destination's secrets out of what it answers. Many destinations send back what they were sent: their answers
 * become failure excerpts, which everybody may see who may look.
 *
 * A secret is found as it is, in base64 (alone or within more, such as user:password), and behind JSON's, HTML's and
 * a URL's escapes, one upon the other. All is done on bytes: an answer's charset is its own choice. What a
 * destination does beyond that (reversed, in pieces) is not found.
 */
import { type Destination, isSecretHeader, isSecretParameter, MASK, type OAuth2 } from '@hookfleet/contract';
import type { AttemptRequest } from './deliver.ts';

export type MaskEchoes = (bytes: Buffer) => Buffer;

// Shorter ones are masked as whole words only: "id" as a password would take the middle out of others.
const ANYWHERE_CHARS_MIN = 6;
// Of a longer one the beginning is searched for, and then followed: searching for 4 KB of one letter takes long.
const SEARCHED_CHARS_MAX = 64;
// One character is no secret, whatever its name.
const WORD_CHARS_MIN = 2;

/** Knows what was sent: the request's headers hold the OAuth token too. */
export function maskEchoesOf(
  { url, headers }: Pick<AttemptRequest, 'url' | 'headers'>,
  destination: Destination,
): MaskEchoes {
  const { auth, signingSecrets = [], tls } = destination;
  const secrets = [...secretsOfUrl(url), ...secretsOfUrl(destination.url)];
  for (const [name, value] of Object.entries({ ...destination.headers, ...headers }))
    if (isSecretHeader(name)) secrets.push(...secretsOfHeader(name, value));
  for (const secret of signingSecrets) {
    const text = typeof secret === 'string' ? secret : secret.secret;
    const key = text.replace(/^wh\w+_/, '');
    secrets.push(text, key, key.replace(/=+$/, ''), Buffer.from(key, 'base64').toString('latin1'));
  }
  if (tls?.key !== undefined) secrets.push(tls.key);
  if (auth?.type === 'basic') secrets.push(auth.password, `${auth.username}:${auth.password}`);
  if (auth?.type === 'bearer') secrets.push(auth.token);
  if (auth?.type === 'header') secrets.push(...secretsOfHeader(auth.name, auth.value));
  if (auth?.type === 'oauth2') secrets.push(...secretsOfUrl(auth.tokenUrl), auth.clientSecret);
  return maskOf(secrets);
}

/** Of the token endpoint's answers. */
export function maskTokenEchoesOf(
  auth: OAuth2,
  { url, headers }: Pick<AttemptRequest, 'url' | 'headers'>,
): MaskEchoes {
  const authorization = headers['authorization'] ?? '';
  return maskOf([
    auth.clientSecret,
    ...secretsOfUrl(url),
    ...secretsOfHeader('authorization', authorization),
  ]);
}

function secretsOfUrl(text: string): string[] {
  // Most have neither a user nor a query, and aren't parsed.
  if (!/[@?]/.test(text)) return [];
  const url = new URL(text);
  // A user without a password: keys are written so.
  const { username, password } = url;
  const secrets = password === '' ? [username] : [password, `${username}:${password}`];
  for (const pair of url.search.slice(1).split('&')) {
    const [name = '', value = ''] = pair.split(/=(.*)/s);
    if (isSecretParameter(unescaped(name))) secrets.push(value);
  }
  return [...secrets, ...secrets.map(unescaped)];
}

/** The value without its scheme; the values of cookies; the password of basic authentication. */
function secretsOfHeader(name: string, value: string): string[] {
  const secrets = [value.replace(/^[A-Za-z][\w-]* +(?=\S)/, '')];
  if (!/^authorization$/i.test(name)) secrets.push(value);
  if (/cookie/i.test(name))
    for (const pair of value.split(';')) secrets.push(pair.replace(/^[^=]*=/, '').trim());
  const basic = /^basic +(\S+)$/i.exec(value)?.[1];
  if (basic !== undefined) {
    const decoded = Buffer.from(basic, 'base64').toString();
    secrets.push(decoded.slice(decoded.indexOf(':') + 1));
  }
  return secrets;
}

function unescaped(text: string): string {
  const view = unescapePercent({ text: utf8(text), at: undefined });
  return view === undefined ? text : Buffer.from(view.text, 'latin1').toString();
}

interface Needle {
  readonly text: string;
  readonly searched: string;
  /** What a tail has to hold to be one of its beginnings. */
  readonly begun: string;
  readonly kind: 'anywhere' | 'word' | 'base64';
}

// Destinations that fail at a time; one more only costs the making of another mask.
const MASKS_MAX = 200;
const masks = new Map<string, MaskEchoes>();

/** Most failures of a time are of few destinations. */
function maskOf(secrets: readonly string[]): MaskEchoes {
  const known = secrets.join('\0');
  const mask = masks.get(known) ?? createMask(secrets);
  // The latest used last: the first is the one to forget.
  masks.delete(known);
  masks.set(known, mask);
  if (masks.size > MASKS_MAX) masks.delete(masks.keys().next().value as string);
  return mask;
}

/** Masks these, given as text. */
export function createMask(secrets: readonly string[]): MaskEchoes {
  const needles = new Map<string, Needle>();
  const add = (text: string, kind: Needle['kind']) => {
    if (needles.has(text)) return;
    const [searched, begun] = [SEARCHED_CHARS_MAX, ANYWHERE_CHARS_MIN].map((length) => text.slice(0, length));
    needles.set(text, { text, searched: searched ?? text, begun: begun ?? text, kind });
  };
  for (const secret of new Set(secrets)) {
    // As UTF-8, and as headers carry it.
    for (const bytes of [Buffer.from(secret), Buffer.from(secret, 'latin1')]) {
      const text = bytes.toString('latin1');
      if (text.length < WORD_CHARS_MIN) continue;
      add(text, text.length < ANYWHERE_CHARS_MIN ? 'word' : 'anywhere');
      if (text.length >= ANYWHERE_CHARS_MIN) for (const coded of inBase64(bytes)) add(coded, 'base64');
    }
  }
  // The longest first: a tail that begins it is masked whole.
  const all = [...needles.values()].sort((a, b) => b.text.length - a.text.length);
  return (bytes) => {
    if (all.length === 0 || bytes.length === 0) return bytes;
    const text = bytes.toString('latin1');
    const ranges = viewsOf(text).flatMap((view) => all.flatMap((needle) => found(view, needle, text)));
    if (ranges.length === 0) return bytes;
    return Buffer.from(replaced(text, ranges), 'latin1');
  };
}

/** The characters that these bytes alone decide, at each of the three places that they may begin at. */
function inBase64(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const coded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    const inner = coded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** A text without its escapes, and where each of its characters begins in the text it was made of. */
interface View {
  readonly text: string;
  /** Absent where nothing moved. One more than there are characters: the end. */
  readonly at: Uint32Array | undefined;
}

/** Escapes upon escapes, as a JSON text within another has them, with a URL in it. */
function viewsOf(text: string): View[] {
  const views: View[] = [{ text, at: undefined }];
  for (const unescaping of [unescapeJson, unescapeJson, unescapeHtml, unescapePercent]) {
    for (const view of [...views]) {
      const unescaped = unescaping(view);
      if (unescaped !== undefined) views.push(unescaped);
    }
  }
  return views;
}

function unescapeWith(
  { text, at }: View,
  pattern: RegExp,
  meaning: (found: RegExpMatchArray) => string,
): View | undefined {
  if (text.search(pattern) === -1) return undefined;
  let plain = '';
  let from = 0;
  let count = 0;
  // No escape is shorter than what it means.
  const starts = new Uint32Array(text.length + 1);
  const copy = (to: number) => {
    for (let i = from; i < to; i += 1) starts[count++] = at === undefined ? i : (at[i] as number);
    plain += text.slice(from, to);
  };
  for (const match of text.matchAll(pattern)) {
    copy(match.index);
    const meant = meaning(match);
    starts.fill(at?.[match.index] ?? match.index, count, count + meant.length);
    count += meant.length;
    plain += meant;
    from = match.index + match[0].length;
  }
  copy(text.length);
  starts[count] = at?.[text.length] ?? text.length;
  return { text: plain, at: starts };
}

// A pair of surrogates is one character, and every other escape is one by itself.
const JSON_ESCAPE =
  /\\(["\\/'bfnrt])|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}/g;
const JSON_CONTROLS: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const HTML_NAMES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeJson(view: View): View | undefined {
  return unescapeWith(view, JSON_ESCAPE, ([all, short]) => {
    if (short !== undefined) return JSON_CONTROLS[short] ?? short;
    const units = all.split('\\u').slice(1);
    return utf8(String.fromCharCode(...units.map((hex) => Number.parseInt(hex, 16))));
  });
}

function unescapeHtml(view: View): View | undefined {
  return unescapeWith(view, /&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9a-f]{1,6}));/gi, (match) => {
    const [all, name, decimal, hex] = match;
    if (name !== undefined) return HTML_NAMES[name.toLowerCase()] ?? all;
    const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
    return code > 0x10ffff ? all : utf8(String.fromCodePoint(code));
  });
}

function unescapePercent(view: View): View | undefined {
  return unescapeWith(view, /%([0-9a-f]{2})|\+/gi, ([, hex]) =>
    hex === undefined ? ' ' : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** As bytes, a character each. */
function utf8(text: string): string {
  return Buffer.from(text).toString('latin1');
}

type Range = readonly [from: number, to: number];

function found({ text, at }: View, { text: needle, searched, begun, kind }: Needle, source: string): Range[] {
  const ranges: Range[] = [];
  const add = (from: number, to: number) => {
    const range: Range = [at?.[from] ?? from, at?.[to] ?? to];
    ranges.push(kind === 'base64' ? withNeighbours(source, range) : range);
  };
  for (let from = text.indexOf(searched), to = 0; from !== -1; from = text.indexOf(searched, to)) {
    to = from + searched.length;
    while (to - from < needle.length && text[to] === needle[to - from]) to += 1;
    if (kind !== 'word' || !(isWordAt(text, from - 1) || isWordAt(text, to))) add(from, to);
  }
  // An answer that is cut may end within a secret.
  if (kind === 'word') return ranges;
  let from = text.indexOf(begun, Math.max(0, text.length - searched.length + 1));
  while (from !== -1 && !searched.startsWith(text.slice(from))) from = text.indexOf(begun, from + 1);
  if (from !== -1) add(from, text.length);
  return ranges;
}

function isWordAt(text: string, at: number): boolean {
  return /[A-Za-z0-9]/.test(text.charAt(at));
}

/** The characters before and behind hold some bits of the secret too. */
function withNeighbours(text: string, [from, to]: Range): Range {
  const begin = /[\w+/-]/.test(text.charAt(from - 1)) ? from - 1 : from;
  const [rest = ''] = /^[\w+/-]?={0,2}/.exec(text.slice(to, to + 3)) ?? [];
  return [begin, to + rest.length];
}

function replaced(text: string, ranges: readonly Range[]): string {
  let masked = '';
  let end = 0;
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0] || b[1] - a[1])) {
    if (from >= end) masked += `${text.slice(end, from)}${MASK}`;
    end = Math.max(end, to);
  }
  return masked + text.slice(end);
}
