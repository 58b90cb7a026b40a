import { checks as bpf } from './guest/bpf.ts';
import { checks as shared } from './guest/shared.ts';
import { checks as suspend } from './guest/suspend.ts';
import { guestSuite } from './host/guest-suite.ts';

guestSuite(
  'a kernel with one frequency domain for both CPUs',
  [
    ['shared', shared],
    ['bpf', bpf],
    ['suspend', suspend],
  ],
  { acpi: 'shared', timeoutS: 300 },
);
