import { ServiceError } from '../errors.ts';

/** The services give up on whatever is away within 2 s; this is for what they did not foresee. */
const LIMIT_MS = 10_000;

/** The promise's outcome, or SERVICE_UNAVAILABLE when there is none in time; the work itself goes on. */
export async function withinTimeLimit<T>(work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new ServiceError('SERVICE_UNAVAILABLE', 'There was no answer in time; try again'));
  }, LIMIT_MS);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
