/**
 * JSON without a character beyond ASCII. Java hands a process its arguments in the encoding of its locale, and where
 * there is none, as in most containers, makes `?` of all others.
 */
export function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
