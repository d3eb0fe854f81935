import { expect, test } from 'vitest';
import { printable } from '../../../src/cli/printable.ts';

test('text, when it has what a terminal would obey, is shown without it', () => {
  expect(printable('a\u001b[2Jb\u0007c\u009b1md\r')).toBe('a�[2Jb�c�1md�');
});

test('text, when it has lines, tabs and letters of any script, is shown as it is', () => {
  expect(printable('ä\tπ\n日本')).toBe('ä\tπ\n日本');
});
