/** What JSON can say: a document as it is stored and sent. */
type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

/** Whether it is an object with keys (`{…}` in JSON, a mapping in YAML); its values are still unknown. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
