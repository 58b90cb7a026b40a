import { checks as guardian } from './guest/guardian.ts';
import { checks as guards } from './guest/guards.ts';
import { checks as kill } from './guest/kill.ts';
import { checks as leases } from './guest/leases.ts';
import { checks as smoke } from './guest/smoke.ts';
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
  { timeoutS: 400 },
);
