/** Something on the command line is wrong that only its command could see. The message is for a person. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
