/** The guardian's process: `node guardian-main <root> <runtime dir> <hostd's pid> <its start time> <latency fd>`. */
import { runGuardian } from './guardian.ts';

const [root = '/', runtimeDir = '', pid = '', startTime = '', latencyFd = '-1'] = process.argv.slice(2);
runGuardian({
  root,
  runtimeDir,
  owner: { pid: Number(pid), startTime },
  pipe: 0,
  latencyFd: Number(latencyFd),
  ready: 1,
  log: 2,
});
