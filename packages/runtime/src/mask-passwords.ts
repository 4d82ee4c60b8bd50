/** URLs without the secrets in them, for logs and errors. Right and wrong ones. */

/**
 * A value that holds URLs, by commas, without their users, passwords and parameters' values. It is for wrong values too,
 * which no parser can take apart: a password that is not percent-encoded may hold any character, and what should be a
 * port may be a password whose host is missing. So all before the last @ is masked, and each port that is no number. The
 * name of a parameter that is wrong may be a password's, misspelt.
 */
export function maskPasswords(text: string): string {
  return text
    .split(/,(?=\s*[a-z][a-z\d+.-]*:\/\/)/i)
    .map((url) => {
      const scheme = /^\s*[a-z][a-z\d+.-]*:\/\//i.exec(url)?.[0] ?? '';
      const at = url.lastIndexOf('@');
      const rest = at === -1 ? url.slice(scheme.length) : `***${url.slice(at)}`;
      return `${scheme}${scheme === '' ? rest : withoutWrongPort(rest)}`;
    })
    .join(',')
    .replaceAll(/([?&][^=&\s]*=)[^&\s]*/g, '$1***');
}

/** Of hosts by commas, IPv6 in brackets. */
function withoutWrongPort(afterScheme: string): string {
  const [authority = ''] = /^[^/?#]*/.exec(afterScheme) ?? [];
  const isRight = authority.split(',').every((host) => /^(?:[^:[\]]*|[^[]*\[[^\]]*\])(?::\d*)?$/.test(host));
  return isRight
    ? afterScheme
    : `***${afterScheme.includes('@') ? afterScheme.slice(afterScheme.lastIndexOf('@')) : ''}`;
}

/** A sentence of somebody else's, such as a library's error, without users and passwords of the URLs in it. */
export function maskUrlsIn(sentence: string): string {
  return sentence.replaceAll(/([a-z][a-z\d+.-]*:\/\/)[^\s"'<>]*@/gi, '$1***@');
}
