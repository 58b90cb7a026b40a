import { PrewakeError } from '@prewake/sdk/protocol';
import koffi, { type LibraryHandle } from 'koffi';

/** An opaque C pointer. */
export type Pointer = NonNullable<unknown>;

/** The part of libbpf.so.1 that the recorder calls. Functions that fail return null or a negative errno. */
export interface Libbpf {
  openFile(path: string): Pointer | null;
  load(object: Pointer): number;
  closeObject(object: Pointer): void;
  nextProgram(object: Pointer, previous: Pointer | null): Pointer | null;
  programName(program: Pointer): string;
  setAutoload(program: Pointer, autoload: boolean): number;
  attach(program: Pointer): Pointer | null;
  attachIterator(program: Pointer): Pointer | null;
  iteratorFd(linkFd: number): number;
  linkFd(link: Pointer): number;
  destroyLink(link: Pointer): number;
  findMap(object: Pointer, name: string): Pointer | null;
  mapFd(map: Pointer): number;
  maxEntries(map: Pointer): number;
  setMaxEntries(map: Pointer, entries: number): number;
  /** The running kernel's BTF, to ask whether a type is there; null where the kernel has none. */
  kernelTypes(): Pointer | null;
  hasType(types: Pointer, name: string, kind: BtfKind): boolean;
  /** Loads an fentry program that does nothing: its file descriptor. */
  loadFentry(types: Pointer, func: string): number;
  freeTypes(types: Pointer): void;
  errno(): number;
}

/** include/uapi/linux/btf.h */
export const BtfKind = { typedef: 8, func: 12 } as const;
export type BtfKind = (typeof BtfKind)[keyof typeof BtfKind];

/** include/uapi/linux/bpf.h */
const PROG_TYPE_TRACING = 26;
const TRACE_FENTRY = 24;
/** `r0 = 0; exit` */
const NOTHING = Buffer.from('b7000000000000009500000000000000', 'hex');

/** As much of libbpf's bpf_prog_load_opts as is set here; it is told the size. */
const LoadOptions = koffi.struct({
  sz: 'size_t',
  attempts: 'int',
  expected_attach_type: 'uint32',
  prog_btf_fd: 'uint32',
  prog_flags: 'uint32',
  prog_ifindex: 'uint32',
  kern_version: 'uint32',
  attach_btf_id: 'uint32',
  attach_prog_fd: 'uint32',
});

let loaded: Libbpf | undefined;

/** Loads libbpf once. Throws `PREWAKE_LIBBPF_MISSING` where it is not installed. */
export function libbpf(): Libbpf {
  loaded ??= load();
  return loaded;
}

function load(): Libbpf {
  let library: LibraryHandle;
  try {
    library = koffi.load('libbpf.so.1');
  } catch (cause) {
    throw new PrewakeError('PREWAKE_LIBBPF_MISSING', 'libbpf.so.1 is not installed (Debian: libbpf1)', {
      cause,
    });
  }
  const silence = library.func('libbpf_set_print', 'void *', ['void *']);
  silence(null);
  const find = library.func('btf__find_by_name_kind', 'int', ['void *', 'str', 'uint32']);
  const openFile = library.func('bpf_object__open_file', 'void *', ['str', 'void *']);
  const loadProgram = library.func('bpf_prog_load', 'int', [
    ...['uint32', 'str', 'str', 'void *', 'size_t'],
    koffi.pointer(LoadOptions),
  ]);
  const attachIterator = library.func('bpf_program__attach_iter', 'void *', ['void *', 'void *']);
  return {
    openFile: (path) => openFile(path, null),
    load: library.func('bpf_object__load', 'int', ['void *']),
    closeObject: library.func('bpf_object__close', 'void', ['void *']),
    nextProgram: library.func('bpf_object__next_program', 'void *', ['void *', 'void *']),
    programName: library.func('bpf_program__name', 'str', ['void *']),
    setAutoload: library.func('bpf_program__set_autoload', 'int', ['void *', 'bool']),
    attach: library.func('bpf_program__attach', 'void *', ['void *']),
    attachIterator: (program) => attachIterator(program, null),
    iteratorFd: library.func('bpf_iter_create', 'int', ['int']),
    linkFd: library.func('bpf_link__fd', 'int', ['void *']),
    destroyLink: library.func('bpf_link__destroy', 'int', ['void *']),
    findMap: library.func('bpf_object__find_map_by_name', 'void *', ['void *', 'str']),
    mapFd: library.func('bpf_map__fd', 'int', ['void *']),
    maxEntries: library.func('bpf_map__max_entries', 'uint32', ['void *']),
    setMaxEntries: library.func('bpf_map__set_max_entries', 'int', ['void *', 'uint32']),
    kernelTypes: library.func('btf__load_vmlinux_btf', 'void *', []),
    hasType: (types, name, kind) => find(types, name, kind) > 0,
    loadFentry: (types, func) =>
      loadProgram(PROG_TYPE_TRACING, 'pw_nothing', 'GPL', NOTHING, NOTHING.length / 8, {
        ...{ sz: koffi.sizeof(LoadOptions), attempts: 0, expected_attach_type: TRACE_FENTRY },
        ...{ prog_btf_fd: 0, prog_flags: 0, prog_ifindex: 0, kern_version: 0, attach_prog_fd: 0 },
        attach_btf_id: find(types, func, BtfKind.func),
      }),
    freeTypes: library.func('btf__free', 'void', ['void *']),
    errno: () => koffi.errno(),
  };
}
