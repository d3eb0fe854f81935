const HIDDEN = '***';
/** The lines of a key are secret each by itself; shorter ones are too likely to be ordinary text. */
const SECRET_LINE_LENGTH = 8;

/** Hides secrets in whatever another program says: as they are, as a URL holds them, and each long line of one. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const hidden = new Set(
    secrets.flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
      ...secret.split(/\r?\n/).filter(({ length }) => length >= SECRET_LINE_LENGTH),
    ]),
  );
  hidden.delete('');
  const longestFirst = [...hidden].sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((redacted, secret) => redacted.replaceAll(secret, HIDDEN), text);
}
