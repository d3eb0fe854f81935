import { fileURLToPath } from 'node:url';

/** As Hadoop and Flink take a URI: as it is written, so that `%20` would be three characters of a name. */
export function verbatimUri(uri: string): string {
  return uri.startsWith('file:') ? `file://${fileURLToPath(uri)}` : uri;
}
