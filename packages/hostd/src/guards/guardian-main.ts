/**
 * The guardian's process:
 * `node guardian-main <root> <runtime dir> <hostd's pid> <its start time> <latency fd> <nice> <CPUs>`.
 */
import { parseCpuList } from '../kernel/cpus.ts';
import { runAs } from '../kernel/own-scheduling.ts';
import { runGuardian } from './guardian.ts';

const [root = '/', runtimeDir = '', pid = '', startTime = '', latencyFd = '-1', nice = '0', cpus = ''] =
  process.argv.slice(2);
runAs({ nice: Number(nice), cpus: parseCpuList(cpus) });
runGuardian({
  root,
  runtimeDir,
  owner: { pid: Number(pid), startTime },
  pipe: 0,
  latencyFd: Number(latencyFd),
  ready: 1,
  log: 2,
});
