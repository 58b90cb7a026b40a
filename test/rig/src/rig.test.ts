import { checks as bpf } from './guest/bpf.ts';
import { checks as bpfWitness } from './guest/bpf-witness.ts';
import { checks as guardian } from './guest/guardian.ts';
import { checks as guards } from './guest/guards.ts';
import { checks as kill } from './guest/kill.ts';
import { checks as leases } from './guest/leases.ts';
import { checks as shared } from './guest/shared.ts';
import { checks as smoke } from './guest/smoke.ts';
import { checks as steps } from './guest/steps.ts';
import { checks as suspend } from './guest/suspend.ts';
import { guestSuite } from './host/guest-suite.ts';

guestSuite(
  'a kernel with a frequency domain for each CPU',
  [
    ['smoke', smoke],
    ['guards', guards],
    ['leases', leases],
    ['guardian', guardian],
    ['kill', kill],
  ],
  { timeoutS: 500 },
);

guestSuite(
  'a kernel with one frequency domain for both CPUs',
  [
    ['shared', shared],
    ['bpf', bpf],
    ['bpf-witness', bpfWitness],
    ['steps', steps],
    ['suspend', suspend],
  ],
  { acpi: 'shared', timeoutS: 400 },
);

// What is different there: a normal thread can ask for a slice (EEVDF), and more tracepoints.
guestSuite(
  'Linux 6.12',
  [
    ['guards', guards, /^(idle.cpu: the CPU|frequency.policy: the|scheduler.slice)/],
    ['leases', leases, /^(a floor that|the kernel takes|leases in quick)/],
    ['bpf-witness', bpfWitness, /^by fentry/],
  ],
  { kernel: 'linux-image-6.12-amd64', timeoutS: 400 },
);
