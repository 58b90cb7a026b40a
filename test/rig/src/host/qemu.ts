import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Machine {
  vmlinux: string;
  initrd: string;
  acpiTable: string;
  /**
   * Folder that host and guest share. QEMU writes there what the guest sends to its second serial port (`report`)
   * and to the P-state port of CPU n (`pstate-n.bin`).
   */
  share: string;
  cmdline: string;
  timeoutMs: number;
  onLine?: ((line: string) => void) | undefined;
}

export interface PowerOff {
  /** The deadline passed and QEMU was killed. */
  timedOut: boolean;
  status: number | null;
  signal: string | null;
  stderr: string;
}

/**
 * One run of the virtual machine, from power-on to power-off. Plain emulation: KVM inside KVM is rarely to be had,
 * and the kernel code under test is the same. The vendor and family must be given, or acpi-cpufreq won't load. Both
 * CPUs on one thread: on two, QEMU 7.2 may run a CPU into an int3 of the kernel's own code patching that has been
 * taken away again, which no kernel survives.
 */
export function boot(machine: Machine): Promise<PowerOff> {
  const fsdev = (id: string, path: string, more = '') => [
    '-fsdev',
    `local,id=${id},path=${path},security_model=none,multidevs=remap${more}`,
    '-device',
    `virtio-9p-pci,fsdev=${id},mount_tag=${id}`,
  ];
  const pstatePort = (cpu: number) => [
    '-chardev',
    `file,id=pstate${cpu},path=${join(machine.share, `pstate-${cpu}.bin`)}`,
    '-device',
    `isa-debugcon,iobase=${0xa80 + cpu},chardev=pstate${cpu}`,
  ];
  const args = [
    ...['-machine', 'q35', '-accel', 'tcg,thread=single'],
    ...['-cpu', 'max,vendor=GenuineIntel,family=6,model=158', '-smp', '2', '-m', '1G'],
    ...['-nodefaults', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
    ...['-chardev', `file,id=report,path=${join(machine.share, 'report')}`, '-serial', 'chardev:report'],
    ...['-kernel', machine.vmlinux, '-initrd', machine.initrd, '-acpitable', `file=${machine.acpiTable}`],
    ...pstatePort(0),
    ...pstatePort(1),
    ...fsdev('host', '/', ',readonly=on'),
    ...fsdev('out', machine.share),
    ...['-append', `console=ttyS0 quiet panic=-1 ${machine.cmdline}`.trim()],
  ];
  // The kernel ends QEMU with us, however we end.
  const qemu = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let timedOut = false;
  let stderr = '';
  const deadline = setTimeout(() => {
    timedOut = true;
    qemu.kill('SIGKILL');
  }, machine.timeoutMs);
  const console_ = createWriteStream(join(machine.share, 'console.txt'));
  qemu.stdout.pipe(console_);
  createInterface({ input: qemu.stdout }).on('line', (line) => machine.onLine?.(line.trimEnd()));
  qemu.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = (stderr + chunk).slice(-4000);
  });
  return new Promise((resolve, reject) => {
    qemu.on('error', reject);
    qemu.on('close', (status, signal) => {
      clearTimeout(deadline);
      resolve({ timedOut, status, signal, stderr });
    });
  });
}
