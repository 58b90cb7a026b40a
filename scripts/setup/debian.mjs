// Debian packages. As root they are installed; otherwise the command is named, and what needs them says so and
// is skipped.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { say, step } from './progress.mjs';
import { cacheDir, unpackedDir } from './root.mjs';

const apt = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' } };

/**
 * @param {{ install: string[], unpack: string[] }} packages `unpack`: fetched and unpacked under .cache, because
 * installing them would start a service on this machine.
 */
export async function installDebianPackages({ install, unpack }) {
  const missing = lacking([...new Set(install)]);
  const unfetched = unpack.filter((name) => lacking([name]).length && !existsSync(unpackedMark(name)));
  if (!missing.length && !unfetched.length) return;
  const command = `apt-get install ${[...missing, ...unfetched].join(' ')}`;
  if (!existsSync('/usr/bin/apt-get')) return once(`not a Debian system; wanted: ${command}`);
  if (process.getuid?.() !== 0) return once(`not root, so this is left to you: sudo ${command}`);

  await step('updating the Debian package lists', 'apt-get', ['update', '-q'], apt);
  const known = candidates([...missing, ...unfetched]);
  const unknown = [...missing, ...unfetched].filter((name) => !known.has(name));
  if (unknown.length) once(`this system's archive has no ${unknown.join(', ')}; going on without`);
  const options = ['-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300'];
  const names = missing.filter((name) => known.has(name));
  if (names.length)
    await step(
      `installing Debian packages (${shortList(names)})`,
      'apt-get',
      ['install', ...options, ...names],
      apt,
    );
  for (const name of unfetched.filter((name) => known.has(name))) await fetchAndUnpack(name);
}

function shortList(names) {
  return names.length <= 4
    ? names.join(', ')
    : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}

function lacking(names) {
  if (!names.length) return [];
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own placeholders
  const query = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], {
    encoding: 'utf8',
  });
  const lines = (query.stdout ?? '').split('\n');
  return names.filter((name) => !lines.includes(`${name} installed`));
}

function candidates(names) {
  const policy = spawnSync('apt-cache', ['policy', ...names], { encoding: 'utf8', ...apt });
  const known = new Set();
  let current = '';
  for (const line of policy.stdout.split('\n')) {
    if (/^\S+:$/.test(line)) current = line.slice(0, -1);
    else if (/^ {2}Candidate: (?!\(none\))/.test(line)) known.add(current);
  }
  return known;
}

async function fetchAndUnpack(name) {
  const dir = join(cacheDir, 'setup', 'deb', name);
  mkdirSync(dir, { recursive: true });
  mkdirSync(unpackedDir, { recursive: true });
  // The sandbox user of apt can't write here; the archive's signature is checked all the same.
  const fetch = `apt-get download -q -o APT::Sandbox::User=root ${name} && dpkg -x ${name}_*.deb "$1"`;
  await step(`fetching ${name}`, 'sh', ['-c', fetch, 'sh', unpackedDir], { ...apt, cwd: dir });
  writeFileSync(unpackedMark(name), '');
}

function unpackedMark(name) {
  return join(unpackedDir, `.${name}`);
}

/** Says a thing that this set-up can't change one time, not at every run. */
function once(line) {
  const said = join(cacheDir, 'setup', 'said');
  const before = existsSync(said) ? readFileSync(said, 'utf8').split('\n') : [];
  if (before.includes(line)) return;
  say(line);
  mkdirSync(join(cacheDir, 'setup'), { recursive: true });
  writeFileSync(said, [...before, line].join('\n'));
}
