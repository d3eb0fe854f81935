/** One fault of a document: where it is (dotted path, empty for the whole) and what was expected there. */
export interface Fault {
  path: string;
  message: string;
}
