import { closeSync, readSync } from 'node:fs';
import { PrewakeError } from '@prewake/sdk/protocol';
import { BtfKind, type Libbpf, libbpf, type Pointer } from './libbpf.ts';
import { errorName } from './mapping.ts';
import { OLD_SWITCH, type Program, SEED } from './program-groups.ts';

/** The kernel's answer to an attempt: what it lacks, in a few words. */
export type Refusal = string;

/** The recorder's programs in the kernel: verified and loaded, attached one by one. */
export class LoadedObject {
  readonly #lib: Libbpf;
  readonly #object: Pointer;
  readonly #programs: Map<string, Pointer>;
  readonly #links = new Map<string, Pointer>();
  #iterator: Pointer | undefined;

  private constructor(lib: Libbpf, object: Pointer, programs: Map<string, Pointer>) {
    this.#lib = lib;
    this.#object = object;
    this.#programs = programs;
  }

  /** Loads the programs that are named and no other. Throws `PREWAKE_BPF_LOAD` if the verifier refuses one. */
  static load(path: string, names: ReadonlySet<string>, ringBytes: number): LoadedObject {
    const lib = libbpf();
    const object = lib.openFile(path);
    if (object === null) throw loadError('open', lib.errno());
    const programs = new Map<string, Pointer>();
    for (let p = lib.nextProgram(object, null); p !== null; p = lib.nextProgram(object, p)) {
      const name = lib.programName(p);
      lib.setAutoload(p, names.has(name));
      if (names.has(name)) programs.set(name, p);
    }
    const ring = lib.findMap(object, 'ring');
    if (ring) lib.setMaxEntries(ring, ringBytes);
    const result = lib.load(object);
    if (result < 0) {
      lib.closeObject(object);
      throw loadError('load', -result);
    }
    return new LoadedObject(lib, object, programs);
  }

  mapFd(name: string): number {
    const map = this.#lib.findMap(this.#object, name);
    if (!map) throw new PrewakeError('PREWAKE_BPF_LOAD', `the BPF object has no map ${name}`);
    return this.#lib.mapFd(map);
  }

  /** Attaches a program, unless it is. Returns why not, where it can't be. */
  attach(name: string): Refusal | undefined {
    if (this.#links.has(name)) return undefined;
    const program = this.#programs.get(name);
    if (!program) return 'not loaded';
    const link = this.#lib.attach(program);
    if (!link) return errorName(this.#lib.errno());
    this.#links.set(name, link);
    return undefined;
  }

  detach(name: string): void {
    const link = this.#links.get(name);
    if (!link) return;
    this.#links.delete(name);
    this.#lib.destroyLink(link);
  }

  detachAll(): void {
    for (const name of [...this.#links.keys()]) this.detach(name);
  }

  /** Runs the iterator over all threads of the host, in this call. */
  iterate(): void {
    const program = this.#programs.get(SEED);
    if (!program) throw new PrewakeError('PREWAKE_BPF_LOAD', 'the task iterator is not loaded');
    this.#iterator ??= this.#lib.attachIterator(program) ?? undefined;
    if (!this.#iterator) throw loadError('iterate', this.#lib.errno());
    const fd = this.#lib.iteratorFd(this.#lib.linkFd(this.#iterator));
    if (fd < 0) throw loadError('iterate', -fd);
    try {
      // It prints nothing, so that the end is there with the first read, after the last thread.
      const none = Buffer.allocUnsafe(64);
      while (readSync(fd, none) > 0);
    } finally {
      closeSync(fd);
    }
  }

  close(): void {
    this.detachAll();
    if (this.#iterator) this.#lib.destroyLink(this.#iterator);
    this.#iterator = undefined;
    this.#lib.closeObject(this.#object);
  }
}

function loadError(doing: string, errno: number): PrewakeError {
  return new PrewakeError(
    'PREWAKE_BPF_LOAD',
    `the kernel refused to ${doing} BPF programs: ${errorName(errno)}`,
  );
}

/** Which of these programs have something to attach to, by the running kernel's BTF. */
export function presentPrograms(programs: readonly Program[]): Set<string> {
  const lib = libbpf();
  const types = lib.kernelTypes();
  if (!types) throw new PrewakeError('PREWAKE_BTF_MISSING', 'the kernel has no BTF (CONFIG_DEBUG_INFO_BTF)');
  try {
    const present = new Set<string>([SEED]);
    for (const { name, tracepoint, func } of programs) {
      const found =
        tracepoint !== undefined
          ? lib.hasType(types, `btf_trace_${tracepoint}`, BtfKind.typedef)
          : func === undefined || lib.hasType(types, func, BtfKind.func);
      if (found) present.add(name);
    }
    return present;
  } finally {
    lib.freeTypes(types);
  }
}

/** The names with `pw_switch` exchanged for its variant of before Linux 5.18. */
export function withOldSwitch(names: ReadonlySet<string>): Set<string> {
  const old = new Set(names);
  if (old.delete('pw_switch')) old.add(OLD_SWITCH);
  return old;
}
