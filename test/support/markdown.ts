/** The parts of the project's documents that tests hold against the code. */
import { readFile } from 'node:fs/promises';

const ROOT = new URL('../../', import.meta.url);

export function readDocument(path: string): Promise<string> {
  return readFile(new URL(path, ROOT), 'utf8');
}

/** Rows of all tables whose header starts with `firstColumn`: a cell for each column, as written. */
export function tableRows(markdown: string, firstColumn: string): string[][] {
  const rows: string[][] = [];
  let inside = false;
  for (const line of markdown.split('\n')) {
    const cells = /^\|(.*)\|$/
      .exec(line.trim())?.[1]
      ?.split(/(?<!\\)\|/)
      .map((cell) => cell.trim());
    if (cells === undefined) inside = false;
    else if (inside) rows.push(cells);
    else inside = cells[0] === firstColumn;
  }
  return rows.filter(([first = '']) => !/^:?-+:?$/.test(first));
}

/** Texts of the fenced blocks, in their order. */
export function codeBlocks(markdown: string): { language: string; text: string }[] {
  return Array.from(markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms), ([, language = '', text = '']) => ({
    language,
    text,
  }));
}

/** From the heading to the next one of its level. */
export function section(markdown: string, heading: string): string {
  const start = markdown.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`there is no heading ${heading}`);
  const level = heading.slice(0, heading.indexOf(' ') + 1);
  const end = markdown.indexOf(`\n${level}`, start + 1);
  return markdown.slice(start, end < 0 ? undefined : end);
}
