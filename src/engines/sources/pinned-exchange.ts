/** One HTTP request to addresses that were checked before, and its answer, within limits of time and size. */
import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import { EngineError, messageOf } from '../../errors.ts';
import type { NetworkAddress } from '../network-address.ts';

export interface PinnedRequest {
  method: 'GET' | 'POST';
  url: URL;
  /** One of these is connected to; the host's name is only said (Host, TLS), not looked up. */
  addresses: readonly NetworkAddress[];
  headers: Readonly<Record<string, string>>;
  body?: string;
  /** For all of it, from connecting to the last byte. */
  timeoutMs: number;
  /** Of the answer, unpacked. */
  maxBytes: number;
}

export interface PinnedAnswer {
  status: number;
  location: string | undefined;
  link: string | undefined;
  retryAfter: string | undefined;
  contentType: string | undefined;
  /** Empty unless the answer is a success: what else a server says may hold what it was sent. */
  body: Buffer;
}

const MAX_HEADER_BYTES = 64 * 1024;

/**
 * @throws EngineError `UnavailableError` when the answer did not come, or not whole; `ValidationError` when it is too
 *   large; `UnsupportedError` for an encoding that was not asked for
 * @throws the reason of `signal` when it is aborted
 */
export async function pinnedExchange(request: PinnedRequest, signal: AbortSignal): Promise<PinnedAnswer> {
  const timeout = AbortSignal.timeout(request.timeoutMs);
  try {
    return await exchange(request, AbortSignal.any([signal, timeout]));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof EngineError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ERR_INVALID_CHAR') {
      throw new EngineError('ValidationError', 'headers: a value has characters that HTTP cannot carry');
    }
    const reason = timeout.aborted ? `no whole answer within ${request.timeoutMs / 1000} s` : reasonOf(error);
    throw new EngineError('UnavailableError', `${request.url.host} did not answer: ${reason}`);
  }
}

async function exchange(request: PinnedRequest, signal: AbortSignal): Promise<PinnedAnswer> {
  const { url, method, addresses, headers, body = '' } = request;
  const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const outgoing = open(url, {
    method,
    headers: {
      'user-agent': 'pipeline-service',
      accept: 'application/json',
      ...headers,
      'accept-encoding': 'gzip, br',
      ...(method === 'POST' && { 'content-length': String(Buffer.byteLength(body)) }),
    },
    // A connection of its own for each request: it goes where this request was allowed to go.
    agent: false,
    lookup: answerWith(addresses),
    maxHeaderSize: MAX_HEADER_BYTES,
    signal,
  });
  // What comes after the answer has begun is told by the answer's stream.
  outgoing.on('error', () => undefined);
  try {
    outgoing.end(method === 'POST' ? body : undefined);
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    const status = answer.statusCode ?? 0;
    return {
      status,
      location: answer.headers.location,
      link: [answer.headers['link'] ?? []].flat().join(', '),
      retryAfter: answer.headers['retry-after'],
      contentType: answer.headers['content-type'],
      body: status >= 200 && status < 300 ? await bytesOf(answer, request.maxBytes) : Buffer.alloc(0),
    };
  } finally {
    outgoing.destroy();
  }
}

async function bytesOf(answer: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of unpacked(answer) as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) {
      throw new EngineError('ValidationError', `an answer has more than ${maxBytes} bytes; ask for smaller pages`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function unpacked(answer: IncomingMessage): Readable {
  const encoding = answer.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding === 'identity' || encoding === '') return answer;
  if (encoding === 'gzip' || encoding === 'x-gzip') return pipeline(answer, createGunzip(), () => undefined);
  if (encoding === 'br') return pipeline(answer, createBrotliDecompress(), () => undefined);
  throw new EngineError(
    'UnsupportedError',
    'the answer is packed in a way that was not asked for; expected gzip or br',
  );
}

function answerWith(addresses: readonly NetworkAddress[]): LookupFunction {
  return (_host, { all }, callback) => {
    const [first] = addresses;
    if (all === true) callback(null, [...addresses]);
    else if (first === undefined) callback(new Error('no address'), '');
    else callback(null, first.address, first.family);
  };
}

/** The code where there is one: it says what happened and nothing else. */
function reasonOf(error: unknown): string {
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return (inner as NodeJS.ErrnoException).code ?? messageOf(inner);
}
