import { KERNEL_CATEGORIES, PrewakeError } from '@prewake/sdk/protocol';
import type { CategorySource } from '../recorder.ts';
import { Known } from '../slice.ts';
import type { FrequencyReader } from './frequency.ts';
import { LoadedObject, type LoadSizes, presentPrograms, withOldSwitch } from './loaded-object.ts';
import {
  CORE_CATEGORIES,
  CORE_PROGRAMS,
  OLD_SWITCH,
  PROGRAM_GROUPS,
  type ProgramGroup,
  SEED,
} from './program-groups.ts';

/** What the kernel took. */
export interface Probed {
  object: LoadedObject;
  /** The programs without which nothing works. */
  core: ReadonlySet<string>;
  /** The best tier of everything else. */
  groups: readonly ProgramGroup[];
  sources: Sources;
}

/** What is known of why something is not there. */
export interface Sources {
  refuse(group: ProgramGroup, refusal: string): void;
  of(attached: readonly ProgramGroup[]): CategorySource[];
}

export interface ProbeOptions {
  path: string;
  sizes: LoadSizes;
  frequencies: FrequencyReader;
  /** Whether the kernel has kprobes at all. */
  kprobes: boolean;
  /** Programs to do without, as if the kernel lacked what they attach to. */
  withhold?: ReadonlySet<string>;
}

/**
 * Loads what this kernel has, and attaches probes on functions once to see whether that works here. A group that is
 * refused is left out, takes no other with it, and its next tier takes its place.
 */
export function probe(options: ProbeOptions): Probed {
  return new Prober(options).probe();
}

class Prober implements Sources {
  readonly #options: ProbeOptions;
  #refusals = new Map<ProgramGroup, string>();
  #core: ReadonlySet<string>;
  #groups: ProgramGroup[];

  constructor(options: ProbeOptions) {
    this.#options = options;
    const { programs: present, fentry } = presentPrograms([
      ...CORE_PROGRAMS,
      { name: OLD_SWITCH, tracepoint: 'sched_switch' },
      ...PROGRAM_GROUPS.flatMap((group) => requirements(group)),
    ]);
    for (const name of options.withhold ?? []) present.delete(name);
    const missing = CORE_PROGRAMS.filter(
      ({ name }) => !present.has(name) && !(name === 'pw_switch' && present.has(OLD_SWITCH)),
    );
    if (missing.length > 0) {
      const events = missing.map((program) => program.tracepoint).join(', ');
      throw new PrewakeError('PREWAKE_BPF_LOAD', `this kernel has no event ${events}`);
    }
    const core = new Set([SEED, ...CORE_PROGRAMS.map((program) => program.name)]);
    this.#core = present.has('pw_switch') ? core : withOldSwitch(core);
    this.#groups = PROGRAM_GROUPS.filter((group) => this.#isPresent(group, present));
    if (fentry) this.#refuseFentry(fentry);
  }

  #refuseFentry(refusal: string): void {
    for (const group of this.#groups)
      if (group.tier === 'fentry') this.#refusals.set(group, `fentry: ${refusal}`);
  }

  #isPresent(group: ProgramGroup, present: ReadonlySet<string>): boolean {
    const absent = requirements(group).filter((program) => !present.has(program.name));
    const what = absent.map((program) => program.tracepoint ?? program.func);
    if (group.tier === 'kprobe' && !this.#options.kprobes) what.push('kprobes (CONFIG_KPROBE_EVENTS)');
    const refusal =
      what.length > 0
        ? `this kernel has no ${[...new Set(what)].join(', ')}`
        : group.known & Known.frequency
          ? this.#options.frequencies.refusal
          : undefined;
    if (refusal !== undefined) this.#refusals.set(group, refusal);
    return refusal === undefined;
  }

  probe(): Probed {
    for (;;) {
      const object = this.#load();
      if (this.#tryAttaching(object))
        return { object, core: this.#core, groups: this.#best(), sources: this };
      object.close(); // A tier failed only now, and the next one is not loaded yet.
    }
  }

  /** The best tier of everything that has not been refused. */
  #best(): ProgramGroup[] {
    const chosen = new Map<string, ProgramGroup>();
    for (const group of this.#groups) {
      if (!this.#refusals.has(group) && !chosen.has(group.name)) chosen.set(group.name, group);
    }
    return [...chosen.values()];
  }

  #load(): LoadedObject {
    const all = this.#tryLoad(this.#core, this.#best());
    if (all instanceof LoadedObject) return all;
    // Some kernels refuse fentry as a whole.
    const before = new Map(this.#refusals);
    this.#refuseFentry(all.message);
    const without = this.#tryLoad(this.#core, this.#best());
    if (without instanceof LoadedObject) return without;
    this.#refusals = before;
    return this.#loadWhatLoads();
  }

  /** Finds out one by one what the verifier does not take. */
  #loadWhatLoads(): LoadedObject {
    const core = this.#tryLoad(this.#core, []);
    if (core instanceof LoadedObject) core.close();
    else this.#core = withOldSwitch(this.#core);
    for (let round = this.#best(); ; round = this.#best()) {
      let refused = false;
      for (const group of round) {
        const refusal = this.#refusalOf(this.#core, group);
        if (!refusal) continue;
        this.#refusals.set(group, refusal);
        refused = true;
      }
      if (!refused) break;
    }
    const result = this.#tryLoad(this.#core, this.#best());
    if (result instanceof LoadedObject) return result;
    throw result;
  }

  #refusalOf(core: Iterable<string>, group: ProgramGroup): string | undefined {
    const result = this.#tryLoad(core, [group]);
    if (!(result instanceof LoadedObject)) return `${group.tier}: ${result.message}`;
    result.close();
    return undefined;
  }

  #tryLoad(core: Iterable<string>, groups: readonly ProgramGroup[]): LoadedObject | PrewakeError {
    const names = new Set([
      ...core,
      ...groups.flatMap((group) => group.programs.map((program) => program.name)),
    ]);
    try {
      return LoadedObject.load(this.#options.path, names, this.#options.sizes);
    } catch (error) {
      if (error instanceof PrewakeError) return error;
      throw error;
    }
  }

  /** Attaches what may be refused only then, and detaches it. False if its next tier has yet to be loaded. */
  #tryAttaching(object: LoadedObject): boolean {
    let complete = true;
    for (const group of this.#best()) {
      if (group.tier === 'tp_btf') continue;
      const refusal = attachGroup(object, group);
      if (!refusal) continue;
      this.#refusals.set(group, refusal);
      if (this.#best().some((next) => next.name === group.name && next.programs.length > 0)) complete = false;
    }
    object.detachAll();
    return complete;
  }

  /** A group was refused after all. */
  refuse(group: ProgramGroup, refusal: string): void {
    this.#refusals.set(group, refusal);
  }

  /** Where each category comes from if these groups are attached. */
  of(attached: readonly ProgramGroup[]): CategorySource[] {
    return KERNEL_CATEGORIES.map((category) => this.#source(category, attached));
  }

  #source(category: CategorySource['category'], attached: readonly ProgramGroup[]): CategorySource {
    if (CORE_CATEGORIES.includes(category)) return { category, tier: 'tp_btf' };
    const used = attached.find((group) => group.categories.includes(category));
    const reasons = PROGRAM_GROUPS.filter((group) => group.categories.includes(category))
      .filter(
        (group) =>
          !used || (group.tier !== used.tier && PROGRAM_GROUPS.indexOf(group) < PROGRAM_GROUPS.indexOf(used)),
      )
      .map((group) => this.#refusals.get(group))
      .filter((reason) => reason !== undefined);
    if (used?.lacks) reasons.push(used.lacks);
    const reason = [...new Set(reasons)].join('; ');
    return { category, tier: used?.tier ?? 'unavailable', ...(reason === '' ? {} : { reason }) };
  }
}

function requirements(group: ProgramGroup): { name: string; tracepoint?: string; func?: string }[] {
  const needs = (group.needs ?? []).map((func) => ({ name: `needs ${func}`, func }));
  return [...group.programs, ...needs];
}

/** All programs of a group, or none and why. */
export function attachGroup(object: LoadedObject, group: ProgramGroup): string | undefined {
  for (const program of group.programs) {
    const refusal = object.attach(program.name);
    if (!refusal) continue;
    for (const other of group.programs) object.detach(other.name);
    return `${group.tier} of ${program.func ?? program.tracepoint}: ${refusal}`;
  }
  return undefined;
}
