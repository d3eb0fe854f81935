/** The JWT that Airflow 3 wants with every call, and the words for an Airflow that has none to give. */
import * as z from 'zod';
import { EngineError } from '../../errors.ts';
import { exchange, type HttpAnswer } from '../http-exchange.ts';
import { refusal } from './airflow-error.ts';

export interface Credentials {
  username: string;
  password: string;
}

const MAX_ANSWER_BYTES = 1024 * 1024;
const tokenAnswer = z.object({ access_token: z.string().min(1) });
const versionAnswer = z.object({ version: z.string() });

/**
 * @param baseUrl without a slash at the end
 * @throws EngineError `PermissionDeniedError` for a bad password; `UnsupportedError` for Airflow 2, or no Airflow at all
 */
export async function obtainToken(
  baseUrl: string,
  { username, password }: Credentials,
  timeoutMs: number,
): Promise<string> {
  const answer = await exchange(
    {
      method: 'POST',
      url: `${baseUrl}/auth/token`,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ username, password }),
      timeoutMs,
    },
    MAX_ANSWER_BYTES,
  );
  const { status } = answer;
  const body = answer.body.toString();
  if (status === 401) {
    throw new EngineError(
      'PermissionDeniedError',
      `Airflow refused the password of ${username}; see AIRFLOW_USERNAME and AIRFLOW_PASSWORD`,
    );
  }
  const succeeded = status >= 200 && status < 300;
  if (succeeded) {
    const told = tokenAnswer.safeParse(parseJson(body));
    if (told.success) return told.data.access_token;
  }
  if (succeeded || [404, 405].includes(status) || isRedirect(status)) {
    throw await notAirflow3(baseUrl, answer, timeoutMs);
  }
  throw refusal(status, body, 'POST /auth/token');
}

/** Airflow 2 tells its version to anybody, at an address that Airflow 3 has no more. */
async function notAirflow3(baseUrl: string, { status, headers }: HttpAnswer, timeoutMs: number): Promise<EngineError> {
  const older = await exchange({ method: 'GET', url: `${baseUrl}/api/v1/version`, timeoutMs }, MAX_ANSWER_BYTES);
  const version = versionAnswer.safeParse(parseJson(older.body.toString()));
  if (older.status === 200 && version.success) {
    return new EngineError(
      'UnsupportedError',
      `Airflow at ${baseUrl} is version ${version.data.version}; Airflow 3 is needed, older ones are not driven`,
    );
  }
  const location = isRedirect(status) ? `, to ${headers['location'] ?? 'nowhere'}` : '';
  return new EngineError(
    'UnsupportedError',
    `AIRFLOW_URL ${baseUrl} is no Airflow 3: POST /auth/token answered ${status}${location}`,
  );
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}

/** Undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
