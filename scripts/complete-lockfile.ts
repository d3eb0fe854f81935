/**
 * Adds what a registry mirror without some platforms' packages leaves out of package-lock.json: an entry for each
 * optional dependency. Without them `npm ci` refuses the lockfile, on every platform. Run it after `npm install`.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface Entry {
  version?: string;
  dev?: boolean;
  optionalDependencies?: Record<string, string>;
}

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const PROCESSOR = /arm64|x64|ia32|arm|ppc64|riscv64|s390x|loong64|mips64el|wasm32/;
const FILE = new URL('../package-lock.json', import.meta.url);

/** Names of optional dependencies that have no entry, by the place of the entry that they need. */
export function missingOptionals(packages: Record<string, Entry>): Map<string, { version: string; dev: boolean }> {
  const missing = new Map<string, { version: string; dev: boolean }>();
  for (const [place, entry] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (!isThere(packages, place, name)) missing.set(`node_modules/${name}`, { version, dev: entry.dev === true });
    }
  }
  return missing;
}

/** As Node resolves: in the package's own folder, then in those around it. */
function isThere(packages: Record<string, Entry>, place: string, name: string): boolean {
  for (let folder = place; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (Object.hasOwn(packages, `${folder === '' ? '' : `${folder}/`}node_modules/${name}`)) return true;
    if (folder === '') return false;
  }
}

function platformOf(place: string): object {
  const name = place.slice(place.lastIndexOf('/') + 1);
  const cpu = PROCESSOR.exec(name)?.[0];
  const os = SYSTEMS.filter((system) => name.split('-').includes(system));
  const libc = name.endsWith('musl') ? 'musl' : os.includes('linux') && name.endsWith('gnu') ? 'glibc' : undefined;
  return { ...(cpu !== undefined && { cpu: [cpu] }), ...(libc !== undefined && { libc: [libc] }), optional: true, os };
}

if (import.meta.main) {
  const lock = JSON.parse(readFileSync(FILE, 'utf8')) as { packages: Record<string, Entry> };
  const missing = missingOptionals(lock.packages);
  for (const [place, { version, dev }] of missing) {
    lock.packages[place] = { version, ...(dev && { dev }), ...platformOf(place) };
  }
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${missing.size} entries added`);
}
