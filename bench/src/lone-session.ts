/**
 * A session that holds one wait open for ever: `node lone-session.js SOCKET [steps]`. It prints a line when its frames
 * were read. With `steps` it ends a step with a report first, so that the recorder has had work.
 */
import { connect } from 'node:net';
import { monotonicMicros } from '@prewake/sdk/protocol';

const [path = '', steps] = process.argv.slice(2);
const socket = connect(path);
socket.setEncoding('utf8');
const at = () => monotonicMicros();
const step = (id: string, report: boolean) =>
  `{"type":"step","id":"${id}","kind":"tool","key":"bench","at":${at()},"report":${report}}\n`;
const wait = (id: number, of: string) =>
  `{"type":"wait","id":${id},"step":"${of}","kind":"tool","key":"bench","at":${at()}}\n`;
let text = '';
socket.on('data', (chunk: string) => {
  text += chunk;
  if (text.includes('"pong"')) process.stdout.write('held\n');
  if (text.includes('"pong"')) text = '';
});
socket.on('error', () => process.exit(1));
socket.on('close', () => process.exit(0));
socket.write('GET /v1/session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: prewake/1\r\n\r\n');
if (steps) {
  const id = '00000000000000aa';
  socket.write(step(id, true) + wait(1, id));
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.write(
    `{"type":"wait_end","id":1,"at":${at()}}\n{"type":"step_end","id":"${id}","at":${at()}}\n{"type":"ping","id":1}\n`,
  );
} else {
  const id = '00000000000000bb';
  socket.write(`${step(id, false)}${wait(1, id)}{"type":"ping","id":1}\n`);
}
