import { ControlFiles } from './control-files.ts';
import { CpuKicker } from './cpu-kicker.ts';
import { KernelWriter, type SyscallTap } from './writer.ts';

/** The machine's controls below one root directory. */
export interface Kernel {
  root: string;
  writer: KernelWriter;
  files: ControlFiles;
  kicker: CpuKicker;
  /** Nothing will be written. */
  dryRun: boolean;
  /** Why this process may not write a control, in a sentence; undefined where it may, or only pretends to. */
  denied(path: string): string | undefined;
  close(): void;
}

export interface KernelOptions {
  tap?: SyscallTap | undefined;
  /** Nothing will be written: missing permission is no obstacle. */
  dryRun?: boolean;
}

export function openKernel(root = '/', { tap, dryRun = false }: KernelOptions = {}): Kernel {
  const writer = new KernelWriter(tap);
  const files = new ControlFiles(root, writer);
  const kicker = new CpuKicker();
  return {
    root,
    writer,
    files,
    kicker,
    dryRun,
    denied(path) {
      if (dryRun || files.writable(path)) return undefined;
      return `no permission to write /${path} (uid ${process.getuid?.()})`;
    },
    close() {
      files.close();
      kicker.close();
    },
  };
}
