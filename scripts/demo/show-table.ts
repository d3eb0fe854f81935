/** What the demo's run left in the table, read the way any engine reads it. */
import { styleText } from 'node:util';
import { printable } from '../../src/cli/printable.ts';
import { table as columns } from '../../src/cli/render.ts';
import { readTable, tableState } from '../read-table.ts';

const TOTALS = `select count(*)::int as flights, count(distinct date)::int as days,
    min(date)::varchar as first, max(date)::varchar as last from flights`;
const WORST = `select origin, origin_city as city, origin_state as state, count(*)::int as flights,
    round(avg(delay), 1) as mean_delay_min, round(100 * avg(late::int), 1) as late_percent
  from flights group by all having count(*) > 20000 order by mean_delay_min desc limit 8`;

/** Totals and the worst airports, as text. */
export async function describeTable(dataDir: string, table: string): Promise<string> {
  const state = await tableState(dataDir, table);
  const [totals = {}] = await readTable(dataDir, table, 'flights', TOTALS);
  const worst = await readTable(dataDir, table, 'flights', WORST);
  const names = Object.keys(worst[0] ?? {});
  const rows = worst.map((row) => names.map((name) => text(row[name])));
  const count = (value: unknown) => Number(value).toLocaleString('en');
  return [
    `${styleText('bold', table)}: ${count(totals['flights'])} flights on ` +
      `${count(totals['days'])} days from ${text(totals['first'])} to ${text(totals['last'])}; ` +
      `${state?.files.length ?? 0} data files, ${state?.snapshots ?? 0} snapshot(s)`,
    '',
    'Busy airports with the longest delays:',
    columns(names, rows),
  ].join('\n');
}

function text(value: unknown): string {
  return printable(typeof value === 'string' ? value : JSON.stringify(value));
}
