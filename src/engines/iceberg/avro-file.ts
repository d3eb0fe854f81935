/**
 * Avro object container files (Avro 1.11 specification, "Object Container Files"), which manifests and manifest lists
 * are.
 *
 * avsc encodes and decodes the records. Its own container writer is not used since it drops the `field-id` attributes
 * from the schema in the file, without which nobody else can read a manifest.
 */
import { randomBytes } from 'node:crypto';
import { deflateRawSync, inflateRawSync, zstdDecompressSync } from 'node:zlib';
import { EngineError } from '../../errors.ts';
import { typeByIds, type AvroRecord, type AvroSchema } from './avro-types.ts';

export interface AvroFile {
  metadata: Map<string, Buffer>;
  /** As the writer's schema in the file says. */
  schema: AvroSchema;
  records: AvroRecord[];
}

const MAGIC = Buffer.from('Obj\u0001', 'latin1');
const SYNC_LENGTH = 16;
/** Of one block, before compression. */
const BLOCK_BYTES = 1 << 20;

export function encodeAvroFile(
  schema: AvroSchema,
  records: readonly AvroRecord[],
  metadata: Readonly<Record<string, string>>,
): Buffer {
  const schemaText = JSON.stringify(schema);
  const type = typeByIds(schemaText);
  const sync = randomBytes(SYNC_LENGTH);
  const header = { ...metadata, 'avro.schema': schemaText, 'avro.codec': 'deflate' };
  const parts: Uint8Array[] = [MAGIC, ...encodeHeader(header), sync];
  let block: Buffer[] = [];
  let blockBytes = 0;
  const endBlock = () => {
    if (block.length === 0) return;
    const body = deflateRawSync(Buffer.concat(block));
    parts.push(encodeLong(block.length), encodeLong(body.length), body, sync);
    block = [];
    blockBytes = 0;
  };
  for (const record of records) {
    const bytes = type.toBuffer(record);
    block.push(bytes);
    blockBytes += bytes.length;
    if (blockBytes >= BLOCK_BYTES) endBlock();
  }
  endBlock();
  return Buffer.concat(parts);
}

/** @throws EngineError `ValidationError` for what is no Avro file, `UnsupportedError` for a codec that Node has not */
export function decodeAvroFile(bytes: Buffer): AvroFile {
  const reader = new Reader(bytes);
  if (!reader.bytes(MAGIC.length).equals(MAGIC)) throw broken();
  const metadata = new Map<string, Buffer>();
  for (let count = reader.blockCount(); count > 0; count = reader.blockCount()) {
    for (let entry = 0; entry < count; entry++) metadata.set(reader.sized().toString(), reader.sized());
  }
  const sync = reader.bytes(SYNC_LENGTH);
  const codec = metadata.get('avro.codec')?.toString() ?? 'null';
  const schemaText = metadata.get('avro.schema')?.toString() ?? 'null';
  const schema = JSON.parse(schemaText) as AvroSchema;
  const type = typeByIds(schemaText);
  const records: AvroRecord[] = [];
  while (!reader.ended) {
    const count = reader.long();
    const block = decompress(codec, reader.sized());
    if (!reader.bytes(SYNC_LENGTH).equals(sync)) throw broken();
    let position = 0;
    for (let record = 0; record < count; record++) {
      const decoded = type.decode(block, position);
      if (decoded.offset < 0) throw broken();
      records.push(decoded.value as AvroRecord);
      position = decoded.offset;
    }
  }
  return { metadata, schema, records };
}

function broken(): EngineError {
  return new EngineError('ValidationError', 'a manifest of the table is not a whole Avro file');
}

function decompress(codec: string, body: Buffer): Buffer {
  switch (codec) {
    case 'null':
      return body;
    case 'deflate':
      return inflateRawSync(body);
    case 'zstandard':
      return zstdDecompressSync(body);
    default:
      throw new EngineError('UnsupportedError', `a manifest of the table is compressed by ${codec}`);
  }
}

function encodeHeader(metadata: Readonly<Record<string, string>>): Buffer[] {
  const entries = Object.entries(metadata);
  const sized = entries.flat().flatMap((text) => {
    const bytes = Buffer.from(text);
    return [encodeLong(bytes.length), bytes];
  });
  return [encodeLong(entries.length), ...sized, encodeLong(0)];
}

/** Zigzag, then seven bits a byte; counts and lengths only, so JavaScript's numbers hold them. */
function encodeLong(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value * 2;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return Buffer.from([...bytes, rest]);
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length;
  }

  bytes(length: number): Buffer {
    const end = this.#at + length;
    if (length < 0 || end > this.#bytes.length) throw broken();
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  long(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.bytes(1)[0] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
      if (factor > Number.MAX_SAFE_INTEGER) throw broken();
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  sized(): Buffer {
    return this.bytes(this.long());
  }

  /** A negative count is followed by the block's size in bytes. */
  blockCount(): number {
    const count = this.long();
    if (count >= 0) return count;
    this.long();
    return -count;
  }
}
