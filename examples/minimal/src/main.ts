import { connect, step, wait } from '@prewake/sdk';
import { startSlowService } from './slow-service.ts';

const url = process.argv[2] ?? (await startSlowService());
const prewake = connect();
for (let poll = 1; poll <= 5; poll++) {
  const status = await step({ kind: 'http', key: 'status' }, async () => {
    const response = await wait(() => fetch(url));
    return `${response.status} ${await response.text()}`;
  });
  console.log(`${poll}: ${status}`);
}
const { hostd } = prewake.stats();
console.log(hostd ? `hostd ${hostd.version}: ${hostd.mode}, records by ${hostd.recorder}` : 'no hostd');
await prewake.shutdown();
