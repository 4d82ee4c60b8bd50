/** Header fields that callers may set: RFC 9110 tokens with values that nothing can be injected behind. */
import { Type } from 'typebox';

// Headers that belong to the connection or to us: letting a caller set them would allow request smuggling
// (RFC 9112, section 11.2) or a forged signature.
const RESERVED_HEADERS =
  'connection|content-length|expect|host|http2-settings|keep-alive|proxy-[^:]*|te|trailer|transfer-encoding|upgrade|webhook-id|webhook-signature|webhook-timestamp';

// An object of JavaScript does not hold __proto__ as another name: it would be taken, and not be sent.
export const HEADER_NAME = `^(?!(?:${caseInsensitive(RESERVED_HEADERS)}|__proto__)$)[!#$%&'*+.^_\`|~0-9A-Za-z-]{1,128}$`;
export const HEADER_VALUE = '^[\\t\\u0020-\\u007e\\u0080-\\u00ff]*$';

export const HEADER_NAME_DETAIL =
  "must be 1 to 128 letters, digits or !#$%&'*+.^_`|~-, and none of the headers that belong to the connection or to hookfleet, as host, content-length and webhook-id";
export const HEADER_VALUE_DETAIL =
  'must hold Latin-1 characters alone, without line breaks or control characters';

/** Values hold no CR, LF or NUL. */
export const Headers = Type.Record(
  Type.String({ pattern: HEADER_NAME }),
  Type.String({ maxLength: 4096, pattern: HEADER_VALUE, errorDetail: HEADER_VALUE_DETAIL, unmasked: true }),
  {
    maxProperties: 50,
    additionalProperties: false,
    distinctNames: true,
    namesDetail: HEADER_NAME_DETAIL,
    description:
      "Headers added to each request, each name once in whatever spelling. A content-type replaces the one that a payload is sent with; a body's own stands.",
  },
);

/** JSON Schema patterns have no flags: spells each letter in both cases. */
function caseInsensitive(pattern: string): string {
  return pattern.replace(/(?<!\[\^)[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}
