/** The JWT that Airflow 3 wants with every call, and the words for an Airflow that has none to give. */
import * as z from 'zod';
import { EngineError } from '../../errors.ts';
import { refusal } from './airflow-error.ts';
import { boundedText } from './bounded-body.ts';

export interface Credentials {
  username: string;
  password: string;
}

const tokenAnswer = z.object({ access_token: z.string().min(1) });
const versionAnswer = z.object({ version: z.string() });

/**
 * @param baseUrl without a slash at the end
 * @throws EngineError `PermissionDeniedError` for a bad password; `UnsupportedError` for Airflow 2, or no Airflow at all
 */
export async function obtainToken(
  baseUrl: string,
  { username, password }: Credentials,
  signal: AbortSignal,
): Promise<string> {
  const response = await fetch(`${baseUrl}/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ username, password }),
    redirect: 'manual',
    signal,
  });
  const body = await boundedText(response);
  if (response.status === 401) {
    throw new EngineError(
      'PermissionDeniedError',
      `Airflow refused the password of ${username}; see AIRFLOW_USERNAME and AIRFLOW_PASSWORD`,
    );
  }
  if (response.ok) {
    const answer = tokenAnswer.safeParse(parseJson(body));
    if (answer.success) return answer.data.access_token;
  }
  if (response.ok || [404, 405].includes(response.status) || isRedirect(response.status)) {
    throw await notAirflow3(baseUrl, response, signal);
  }
  throw refusal(response.status, body, 'POST /auth/token');
}

/** Airflow 2 tells its version to anybody, at an address that Airflow 3 has no more. */
async function notAirflow3(baseUrl: string, { status, headers }: Response, signal: AbortSignal): Promise<EngineError> {
  const older = await fetch(`${baseUrl}/api/v1/version`, { redirect: 'manual', signal });
  const version = versionAnswer.safeParse(parseJson(await boundedText(older)));
  if (older.ok && version.success) {
    return new EngineError(
      'UnsupportedError',
      `Airflow at ${baseUrl} is version ${version.data.version}; Airflow 3 is needed, older ones are not driven`,
    );
  }
  const location = isRedirect(status) ? `, to ${headers.get('location') ?? 'nowhere'}` : '';
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
