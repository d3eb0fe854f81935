/**
 * Where `Link` says the next page is (RFC 8288): the first link with the relation `next`.
 *
 * @param header as received, several of them joined by commas
 * @returns the link as written, which may be relative; undefined when there is none
 */
export function nextLink(header: string | undefined): string | undefined {
  for (const [, target, parameters = ''] of (header ?? '').matchAll(LINK)) {
    const [, quoted, bare = ''] = REL.exec(parameters) ?? [];
    const relations = (quoted ?? bare).toLowerCase().split(/\s+/);
    if (relations.includes('next')) return target;
  }
  return undefined;
}

/** `<target>` and its parameters, in which a comma or a semicolon may stand between quotes. */
const LINK = /<([^<>]*)>((?:\s*;\s*[^\s;,="]+\s*(?:=\s*(?:"[^"]*"|[^\s;,"]*))?)*)/g;
const REL = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]*))/i;
