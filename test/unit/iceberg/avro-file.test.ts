import { describe, expect, it } from 'vitest';
import { decodeAvroFile, encodeAvroFile } from '../../../src/engines/iceberg/avro-file.ts';
import type { AvroSchema } from '../../../src/engines/iceberg/avro-types.ts';

const SCHEMA: AvroSchema = {
  type: 'record',
  name: 'thing',
  fields: [
    { name: 'id', type: 'long', 'field-id': 1 },
    { name: 'note', type: ['null', 'string'], default: null, 'field-id': 2 },
  ],
};

describe('an Avro file', () => {
  it('when written and read, has its records by field id and longs whole', () => {
    const records = Array.from({ length: 5000 }, (_, at) => ({ f1: 2n ** 62n + BigInt(at), f2: at % 2 ? null : 'x' }));
    const file = decodeAvroFile(encodeAvroFile(SCHEMA, records, { 'format-version': '2' }));
    expect(file.records).toEqual(records);
    expect(file.metadata.get('format-version')?.toString()).toBe('2');
  });

  it('when written, keeps the field ids in the schema that it carries', () => {
    expect(decodeAvroFile(encodeAvroFile(SCHEMA, [], {})).schema).toEqual(SCHEMA);
  });

  it('when longs are written as {"type": "long"}, reads them whole', () => {
    const schema: AvroSchema = {
      type: 'record',
      name: 'thing',
      fields: [{ name: 'id', type: { type: 'long' }, 'field-id': 1 }],
    };
    const records = [{ f1: -(2n ** 63n) }];
    expect(decodeAvroFile(encodeAvroFile(schema, records, {})).records).toEqual(records);
  });

  it.each([
    ['cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length - 1)],
    ['no Avro file', () => Buffer.from('PAR1, surely')],
    ['empty', () => Buffer.alloc(0)],
  ])('when it is %s, is refused in words', (_name, damage) => {
    const whole = encodeAvroFile(SCHEMA, [{ f1: 1n, f2: null }], {});
    expect(() => decodeAvroFile(damage(whole))).toThrow(/not a whole Avro file/);
  });
});
