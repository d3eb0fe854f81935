/** A measured number beside the most that it may be: a bench judges, it does not enforce. */
export interface Bar {
  value: number;
  most: number;
  /** What stands behind both numbers, such as `x` or ` GiB`. */
  unit: string;
}

/** `1.08x (bar 1.15x: PASS)` */
export function judged({ value, most, unit }: Bar): string {
  return `${value.toFixed(2)}${unit} (bar ${most}${unit}: ${value <= most ? 'PASS' : 'OVER THE BAR'})`;
}
