/** Of every page of ours: nothing but our own files, no code or style in the page itself, and nobody frames it. */
export const PAGE_CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  // The icons of Swagger UI's styles are data URLs: as an image, such a one runs and loads nothing.
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
