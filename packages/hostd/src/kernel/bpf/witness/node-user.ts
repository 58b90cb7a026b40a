/**
 * For tests: a Node.js program that has libuv make what requests of io_uring it makes. Each line of input is a number
 * of files that it reads at once, one of connections that it makes to itself, and milliseconds that it sleeps then.
 */
export const NODE_USER = `
const { readFile } = require('node:fs/promises');
const { connect, createServer } = require('node:net');
const { createInterface } = require('node:readline');
const { once } = require('node:events');
const { setTimeout: sleep } = require('node:timers/promises');
const server = createServer((socket) => socket.pipe(socket));
const echo = async () => {
  const socket = connect(server.address().port, '127.0.0.1');
  socket.write('x');
  await once(socket, 'data');
  socket.destroy();
};
const times = (count, work) => Promise.all(Array.from({ length: count }, work));
server.listen(0, '127.0.0.1', async () => {
  console.log('ready');
  for await (const line of createInterface({ input: process.stdin })) {
    const [files, connections, ms] = line.split(' ').map(Number);
    await times(files, () => readFile('/proc/self/cmdline'));
    await times(connections, echo);
    await sleep(ms);
    console.log('done');
  }
  server.close();
});
`;
