/**
 * A parameter as a run has it: typed, and safe to store and to send, since every value is plain JSON.
 *
 * An `enum` is a `string` once its value was checked. A `date` is ISO text (`2001-01-31`), a `timestamp` ISO text with
 * an offset (`2001-01-31T06:00:00Z`): whoever binds it in SQL casts it to its type.
 */
export type ParameterType = 'string' | 'int' | 'float' | 'boolean' | 'date' | 'timestamp';

export interface ParameterValue {
  type: ParameterType;
  value: string | number | boolean;
}
