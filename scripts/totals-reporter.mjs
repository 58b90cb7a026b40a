// A vitest reporter that counts: what passed, what failed (a file that can't load, a hook and an unhandled error
// too), and why each skipped test was skipped, which vitest's own JSON leaves out.
import { writeFileSync } from 'node:fs';

export default class TotalsReporter {
  onTestRunEnd(modules, unhandledErrors, reason) {
    const totals = {
      passed: 0,
      failed: 0,
      skipped: [],
      outsideTests: [],
      finished: reason !== 'interrupted',
    };
    for (const module of modules) {
      note(totals, module.relativeModuleId, module);
      for (const suite of module.children.allSuites())
        note(totals, `${module.relativeModuleId} > ${suite.fullName}`, suite);
      for (const test of module.children.allTests())
        count(totals, `${module.relativeModuleId} > ${test.fullName}`, test);
    }
    for (const error of unhandledErrors)
      totals.outsideTests.push({ name: 'unhandled error', message: firstLine(error.message) });
    if (process.env.PREWAKE_TEST_TOTALS)
      writeFileSync(process.env.PREWAKE_TEST_TOTALS, JSON.stringify(totals));
  }
}

function note(totals, name, container) {
  for (const error of container.errors())
    totals.outsideTests.push({ name, message: firstLine(error.message) });
}

function count(totals, name, test) {
  const result = test.result();
  if (result.state === 'passed') totals.passed++;
  else if (result.state === 'failed') totals.failed++;
  // A test that never got to run (its hook failed, the run was cut) is not a pass either.
  else totals.skipped.push({ name, reason: reasonOf(test, result) });
}

function reasonOf(test, result) {
  if (result.note) return result.note;
  if (result.state === 'pending') return 'never ran';
  return test.options.mode === 'run' ? 'never ran' : test.options.mode;
}

function firstLine(text) {
  return String(text).split('\n', 1)[0];
}
