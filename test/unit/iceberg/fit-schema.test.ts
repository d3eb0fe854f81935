import { describe, expect, it } from 'vitest';
import type { InputColumn } from '../../../src/engines/iceberg/duckdb-types.ts';
import { fitSchema, schemaForRows } from '../../../src/engines/iceberg/fit-schema.ts';
import type { Schema } from '../../../src/engines/iceberg/schema.ts';

const TABLE: Schema = {
  type: 'struct',
  'schema-id': 3,
  fields: [
    { id: 1, name: 'id', required: true, type: 'int' },
    { id: 2, name: 'price', required: false, type: 'decimal(9, 2)' },
    {
      id: 3,
      name: 'place',
      required: false,
      type: { type: 'struct', fields: [{ id: 4, name: 'lat', required: false, type: 'float' }] },
    },
    {
      id: 7,
      name: 'tags',
      required: false,
      type: { type: 'list', 'element-id': 8, 'element-required': false, element: 'string' },
    },
  ],
};
const table = { schema: TABLE, lastColumnId: 8 };
const ID: InputColumn = { name: 'id', type: 'int' };

describe('the schema of a new table', () => {
  it('when rows nest, numbers each level before what lies in it, all optional', () => {
    const { schema, lastColumnId } = schemaForRows([
      { name: 'a', type: { struct: [{ name: 'x', type: 'int' }] } },
      { name: 'b', type: { list: { struct: [{ name: 'y', type: 'string' }] } } },
    ]);
    expect(lastColumnId).toBe(5);
    expect(schema.fields).toEqual([
      {
        id: 1,
        name: 'a',
        required: false,
        type: { type: 'struct', fields: [{ id: 3, name: 'x', required: false, type: 'int' }] },
      },
      {
        id: 2,
        name: 'b',
        required: false,
        type: {
          type: 'list',
          'element-id': 4,
          'element-required': false,
          element: { type: 'struct', fields: [{ id: 5, name: 'y', required: false, type: 'string' }] },
        },
      },
    ]);
  });
});

describe('rows', () => {
  it('when a column of them has no value at all, fit any type, and add no column', () => {
    const nothing = (name: string): InputColumn => ({ name, type: 'string', valueless: true });
    const rows = [ID, nothing('price'), nothing('tags'), nothing('place')];
    expect(fitSchema(table, rows, 'none')).toEqual({ schema: TABLE, lastColumnId: 8, changed: false });
    expect(fitSchema(table, [...rows, nothing('more')], 'add_columns').changed).toBe(false);
    expect(() => fitSchema(table, [...rows, nothing('more')], 'none')).toThrow(/more is not in the table/);
  });

  it('when columns are in another order, narrower or missing, fit a table as it is', () => {
    const fitted = fitSchema(table, [{ name: 'price', type: 'decimal(5, 2)' }, ID], 'none');
    expect(fitted).toEqual({ schema: TABLE, lastColumnId: 8, changed: false });
  });

  it('when columns are new or wider and the pipeline allows it, make the table evolve with fresh ids', () => {
    const { schema, lastColumnId, changed } = fitSchema(
      table,
      [
        { name: 'id', type: 'long' },
        {
          name: 'place',
          type: {
            struct: [
              { name: 'lon', type: 'float' },
              { name: 'lat', type: 'double' },
            ],
          },
        },
        { name: 'price', type: 'decimal(12, 2)' },
        { name: 'extra', type: 'string' },
      ],
      'add_columns',
    );
    expect(changed).toBe(true);
    expect(lastColumnId).toBe(10);
    expect(schema.fields.map(({ id, name, type, required }) => [id, name, type, required])).toEqual([
      [1, 'id', 'long', true],
      [2, 'price', 'decimal(12, 2)', false],
      [
        3,
        'place',
        {
          type: 'struct',
          fields: [
            { id: 4, name: 'lat', required: false, type: 'double' },
            { id: 9, name: 'lon', required: false, type: 'float' },
          ],
        },
        false,
      ],
      [7, 'tags', TABLE.fields[3]?.type, false],
      [10, 'extra', 'string', false],
    ]);
  });

  it.each([
    [
      'a new column',
      [ID, { name: 'extra', type: 'string' }],
      'none',
      /column extra is not in the table \(schema_evolution: add_columns would add it\)/,
    ],
    ['a wider column', [{ name: 'id', type: 'long' }], 'none', /column id is long, wider than the table's int/],
    ['another type', [{ name: 'id', type: 'string' }], 'add_columns', /column id is string, the table has int/],
    [
      'a smaller scale',
      [ID, { name: 'price', type: 'decimal(9, 1)' }],
      'add_columns',
      /column price is decimal\(9, 1\)/,
    ],
    [
      'no value for a required column',
      [{ name: 'price', type: 'decimal(9, 2)' }],
      'add_columns',
      /column id is required/,
    ],
    [
      'a name that differs in case',
      [ID, { name: 'Price', type: 'decimal(9, 2)' }],
      'add_columns',
      /column Price differs from the table's price only in case/,
    ],
    [
      'another nesting',
      [ID, { name: 'tags', type: { list: 'int' } }],
      'add_columns',
      /column tags.element is int, the table has string/,
    ],
    [
      'a plain value for a struct',
      [ID, { name: 'place', type: 'string' }],
      'none',
      /column place is string, the table has struct<lat: float>/,
    ],
  ] satisfies [string, InputColumn[], 'none' | 'add_columns', RegExp][])(
    'when they have %s, do not fit and say so',
    (_name, rows, evolution, message) => {
      expect(() => fitSchema(table, rows, evolution)).toThrow(
        expect.objectContaining({ type: 'SchemaConflictError', message: expect.stringMatching(message) as string }),
      );
    },
  );

  it('when several columns do not fit, tell all of them', () => {
    expect(() =>
      fitSchema(
        table,
        [
          { name: 'id', type: 'string' },
          { name: 'extra', type: 'int' },
        ],
        'none',
      ),
    ).toThrow(/column id .*; column extra /);
  });
});
