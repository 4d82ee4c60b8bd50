/** Header fields that callers may set: RFC 9110 tokens with values that nothing can be injected behind. */
import { Type } from 'typebox';

// Headers that belong to the connection or to us: letting a caller set them would allow request smuggling
// (RFC 9112, section 11.2) or a forged signature.
const RESERVED_HEADERS =
  'connection|content-length|expect|host|http2-settings|keep-alive|proxy-[^:]*|te|trailer|transfer-encoding|upgrade|webhook-id|webhook-signature|webhook-timestamp';

// An object of JavaScript does not hold __proto__ as another name: it would be taken, and not be sent.
export const HEADER_NAME = `^(?!(?:${caseInsensitive(RESERVED_HEADERS)}|__proto__)$)[!#$%&'*+.^_\`|~0-9A-Za-z-]{1,128}$`;
export const HEADER_VALUE = '^[\\t\\u0020-\\u007e\\u0080-\\u00ff]*$';

/** Values hold no CR, LF or NUL. */
export const Headers = Type.Record(
  Type.String({ pattern: HEADER_NAME }),
  Type.String({ maxLength: 4096, pattern: HEADER_VALUE, unmasked: true }),
  {
    maxProperties: 50,
    additionalProperties: false,
    distinctNames: true,
    description:
      "Headers added to each request, each name once in whatever spelling. A content-type replaces the one that a payload is sent with; a body's own stands.",
  },
);

/** JSON Schema patterns have no flags: spells each letter in both cases. */
function caseInsensitive(pattern: string): string {
  return pattern.replace(/(?<!\[\^)[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}
