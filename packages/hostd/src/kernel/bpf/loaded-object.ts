import { closeSync, readSync } from 'node:fs';
import { constants } from 'node:os';
import { PrewakeError } from '@prewake/sdk/protocol';
import { BtfKind, type Libbpf, libbpf, type Pointer } from './libbpf.ts';
import { errorName } from './mapping.ts';
import { OLD_SWITCH, type Program, SEED } from './program-groups.ts';

/** The kernel's answer to an attempt: what it lacks, in a few words. */
export type Refusal = string;

export interface LoadSizes {
  ringBytes: number;
  /** How many CPUs the machine can have. */
  cpus: number;
}

/**
 * Maps that forget what was used least recently. Each CPU keeps up to 128 free entries to itself, so that with many CPUs
 * one runs out of them, and forgets what is still needed, while others have enough (less so since Linux 6.16).
 */
const RECENT_MAPS = ['bios', 'requests', 'ring_requests', 'queued_works', 'running_works'];
const ENTRIES_OF_CPU = 256;

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
  static load(path: string, names: ReadonlySet<string>, { ringBytes, cpus }: LoadSizes): LoadedObject {
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
    for (const name of RECENT_MAPS) {
      const map = lib.findMap(object, name);
      if (map) lib.setMaxEntries(map, Math.max(lib.maxEntries(map), cpus * ENTRIES_OF_CPU));
    }
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

export interface Present {
  /** The programs that have something to attach to, by the running kernel's BTF. */
  programs: Set<string>;
  /** Why no function's entry can be attached to at all, where the kernel forbids it. */
  fentry: Refusal | undefined;
}

/** What the running kernel has of these programs' needs. */
export function presentPrograms(programs: readonly Program[]): Present {
  const lib = libbpf();
  const types = lib.kernelTypes();
  if (!types) throw new PrewakeError('PREWAKE_BTF_MISSING', 'the kernel has no BTF (CONFIG_DEBUG_INFO_BTF)');
  try {
    const present = new Set<string>([SEED]);
    // Each look-up goes through the whole of BTF, and many programs attach to the same.
    const found = new Map<string, boolean>();
    for (const { name, tracepoint, func } of programs) {
      const type = tracepoint === undefined ? func : `btf_trace_${tracepoint}`;
      const kind = tracepoint === undefined ? BtfKind.func : BtfKind.typedef;
      if (type !== undefined && !found.has(type)) found.set(type, lib.hasType(types, type, kind));
      if (type === undefined || found.get(type)) present.add(name);
    }
    return {
      programs: present,
      fentry: forbidden(lib, types, programs.find((one) => one.func && found.get(one.func))?.func),
    };
  } finally {
    lib.freeTypes(types);
  }
}

/** Asked with a program that does nothing: loading the whole object to be refused takes 25 ms. */
function forbidden(lib: Libbpf, types: Pointer, func: string | undefined): Refusal | undefined {
  if (func === undefined) return undefined;
  const fd = lib.loadFentry(types, func);
  if (fd >= 0) closeSync(fd);
  // Anything else may be this one function's.
  return fd === -constants.errno.EPERM ? loadError('load', -fd).message : undefined;
}

/** The names with `pw_switch` exchanged for its variant of before Linux 5.18. */
export function withOldSwitch(names: ReadonlySet<string>): Set<string> {
  const old = new Set(names);
  if (old.delete('pw_switch')) old.add(OLD_SWITCH);
  return old;
}
