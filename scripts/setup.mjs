// The way in: `npm run demo`, `npm test`, `npm run prewake -- …` and `npm run bench` all come through here.
// Installs what this checkout lacks and nothing else, then runs the task on the pinned Node 24. It runs on
// Node 18 and newer, before anything is installed, so it is plain JavaScript without dependencies.
import { installDebianPackages } from './setup/debian.mjs';
import { installNpmPackages } from './setup/npm.mjs';
import { fail, SetupError } from './setup/progress.mjs';
import { tasks } from './setup/tasks.mjs';

const [name = 'setup', ...rest] = process.argv.slice(2);
// npm scripts end in `--`, and npm leaves a second one where the caller wrote it.
const args = rest[0] === '--' ? rest.slice(1) : rest;

try {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 18) throw new SetupError(`Node 18 or newer is needed to start, this is ${process.version}`);
  const task = Object.hasOwn(tasks, name) ? tasks[name] : undefined;
  if (!task) throw new SetupError(`no task "${name}"; there are ${Object.keys(tasks).join(', ')}`, 2);
  await installNpmPackages();
  await installDebianPackages(task.debian());
  process.exitCode = await task.run(args);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  fail(error);
}
