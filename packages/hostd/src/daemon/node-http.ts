/**
 * Node's `http`. An `import` of it reads every name that it exports, and WebSocket is one of them: all of undici is
 * loaded for it, half as long as Node takes to start.
 */
export const { createServer, request } = process.getBuiltinModule('node:http');
