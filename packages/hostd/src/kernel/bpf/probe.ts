import { KERNEL_CATEGORIES, PrewakeError } from '@prewake/sdk/protocol';
import type { CategorySource } from '../../slowpath/recorder.ts';
import type { FrequencyReader } from './frequency.ts';
import { LoadedObject, presentPrograms, withOldSwitch } from './loaded-object.ts';
import {
  CORE_CATEGORIES,
  CORE_KNOWN,
  CORE_PROGRAMS,
  PROGRAM_GROUPS,
  type ProgramGroup,
  SEED,
} from './program-groups.ts';

/** What the kernel took: the loaded object, the programs to attach, and what they can tell. */
export interface Probed {
  object: LoadedObject;
  /** In the order of attaching. */
  programs: readonly string[];
  known: number;
  categories: CategorySource[];
}

export interface ProbeOptions {
  path: string;
  ringBytes: number;
  frequencies: FrequencyReader;
  /** Programs to do without, as if the kernel lacked what they attach to. */
  withhold?: ReadonlySet<string>;
}

/**
 * Loads what this kernel has, attaches each group once to see whether it can be, and detaches again. A group that
 * can't be loaded or attached is left out and takes no other with it.
 */
export function probe(options: ProbeOptions): Probed {
  const { withhold } = options;
  const present = presentPrograms([...CORE_PROGRAMS, ...PROGRAM_GROUPS.flatMap((group) => group.programs)]);
  for (const name of withhold ?? []) present.delete(name);
  const missing = CORE_PROGRAMS.filter((program) => !present.has(program.name));
  if (missing.length > 0) {
    const events = missing.map((program) => program.tracepoint).join(', ');
    throw new PrewakeError('PREWAKE_BPF_LOAD', `the kernel has no event ${events}`);
  }
  const refusals = new Map<string, string>();
  let groups = PROGRAM_GROUPS.filter((group) => {
    if (group.name === 'frequency' && !options.frequencies.present) {
      refusals.set(group.name, 'this machine has no cpufreq policy');
      return false;
    }
    const absent = group.programs.filter((program) => !present.has(program.name));
    if (absent.length === 0) return true;
    const what = absent.map((program) => program.tracepoint ?? program.func).join(', ');
    refusals.set(group.name, `this kernel has no ${what}`);
    return false;
  });
  const core = new Set([SEED, ...CORE_PROGRAMS.map((program) => program.name)]);
  let object: LoadedObject;
  try {
    object = LoadedObject.load(options.path, namesOf(core, groups), options.ringBytes);
  } catch {
    const loadable = loadEachAlone(options, core, groups, refusals);
    groups = loadable.groups;
    object = LoadedObject.load(options.path, namesOf(loadable.core, groups), options.ringBytes);
    if (loadable.core !== core) core.clear();
    for (const name of loadable.core) core.add(name);
  }
  try {
    return attachOnce(object, core, groups, refusals);
  } catch (error) {
    object.close();
    throw error;
  }
}

function namesOf(core: ReadonlySet<string>, groups: readonly ProgramGroup[]): Set<string> {
  return new Set([...core, ...groups.flatMap((group) => group.programs.map((program) => program.name))]);
}

/** Something was refused: finds out what, one group at a time. */
function loadEachAlone(
  options: ProbeOptions,
  core: ReadonlySet<string>,
  groups: readonly ProgramGroup[],
  refusals: Map<string, string>,
): { core: ReadonlySet<string>; groups: ProgramGroup[] } {
  let base = core;
  try {
    LoadedObject.load(options.path, base, options.ringBytes).close();
  } catch {
    base = withOldSwitch(core);
    LoadedObject.load(options.path, base, options.ringBytes).close();
  }
  const good = groups.filter((group) => {
    try {
      LoadedObject.load(options.path, namesOf(base, [group]), options.ringBytes).close();
      return true;
    } catch (error) {
      refusals.set(group.name, error instanceof Error ? error.message : String(error));
      return false;
    }
  });
  return { core: base, groups: good };
}

function attachOnce(
  object: LoadedObject,
  core: ReadonlySet<string>,
  groups: readonly ProgramGroup[],
  refusals: Map<string, string>,
): Probed {
  const programs = [...core].filter((name) => name !== SEED);
  for (const name of programs) {
    const refusal = object.attach(name);
    if (refusal)
      throw new PrewakeError('PREWAKE_BPF_LOAD', `the kernel refused to attach ${name}: ${refusal}`);
  }
  let known = CORE_KNOWN;
  const taken = new Set<string>();
  const attached: ProgramGroup[] = [];
  for (const group of groups) {
    if (group.alternative !== undefined && taken.has(group.alternative)) continue;
    const refusal = attachGroup(object, group);
    if (refusal) {
      refusals.set(group.name, refusal);
      continue;
    }
    if (group.alternative !== undefined) taken.add(group.alternative);
    attached.push(group);
    known |= group.known;
    programs.push(...group.programs.map((program) => program.name));
  }
  object.detachAll();
  return { object, programs, known, categories: sources(attached, refusals) };
}

function attachGroup(object: LoadedObject, group: ProgramGroup): string | undefined {
  for (const program of group.programs) {
    const refusal = object.attach(program.name);
    if (!refusal) continue;
    for (const other of group.programs) object.detach(other.name);
    return `${group.tier} ${program.func ?? program.tracepoint}: ${refusal}`;
  }
  return undefined;
}

function sources(attached: readonly ProgramGroup[], refusals: ReadonlyMap<string, string>): CategorySource[] {
  return KERNEL_CATEGORIES.map((category) => {
    if (CORE_CATEGORIES.includes(category)) return { category, tier: 'tp_btf' };
    const having = PROGRAM_GROUPS.filter((group) => group.categories.includes(category));
    const best = attached.find((group) => having.includes(group));
    const reasons = having.map((group) => refusals.get(group.name)).filter((reason) => reason !== undefined);
    return {
      category,
      tier: best?.tier ?? 'unavailable',
      ...(reasons.length > 0 ? { reason: reasons.join('; ') } : {}),
    };
  });
}
