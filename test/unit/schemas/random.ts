/** Garbage that is the same on each run: mulberry32, so that a failing seed can be tried again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.below(choices.length)] ?? choices[0];
  }

  text(length: number): string {
    const characters = ' \n\t{}[],:-#&*!|>\'"%@`$abcxyz019._/\\\u0000\u00e9\ud83d\ude00';
    return Array.from({ length: this.below(length) }, () => characters.charAt(this.below(characters.length))).join('');
  }

  /** Something that JSON can say, of a few levels. */
  value(depth = 3): unknown {
    const leaf = () =>
      this.pick<unknown>([
        null,
        true,
        0,
        -1.5,
        1e300,
        '',
        '${x}',
        '${',
        '$${a}',
        '${secret:A}',
        'day(x)',
        this.text(20),
      ]);
    switch (depth === 0 ? 0 : this.below(4)) {
      case 1:
        return Array.from({ length: this.below(4) }, () => this.value(depth - 1));
      case 2:
      case 3:
        return Object.fromEntries(
          Array.from({ length: this.below(5) }, () => [this.pick(KEYS), this.value(depth - 1)]),
        );
      default:
        return leaf();
    }
  }
}

const KEYS: [string, ...string[]] = [
  'name',
  'type',
  'definition',
  'sources',
  'sinks',
  'from',
  'path',
  'constructor',
  'toString',
  'hasOwnProperty',
  'default',
  'values',
  'a b',
  '',
  '0',
  'length',
];
