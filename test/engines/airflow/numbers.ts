/** What goes into the DAGs of these tests, and what comes out of `double_numbers`. */
export const NUMBERS = [1, 2, 3, 5, 8, 13];
export const DOUBLED = NUMBERS.map((n) => 2 * n);
