/** One check that runs inside the guest. It passes unless it throws. */
export type Check = (context: CheckContext) => void | Promise<void>;

/** The checks of one file, in the order in which they run; the names are the names of the tests on the host. */
export type CheckSet = Record<string, Check>;

export interface CheckContext {
  /** Ends the check as skipped. */
  skip(reason: string): never;
  /** A figure for the reader, shown with the test's result. */
  note(text: string): void;
}

export interface CheckResult {
  name: string;
  outcome: 'passed' | 'failed' | 'skipped';
  /** The error's stack, or why it was skipped. */
  message?: string;
  notes: string[];
}

export class SkipCheck extends Error {}
