/** Prewake for LangChain.js 1.x and LangGraph.js. */
export { PrewakeCallbackHandler, prewake } from './handler.ts';
