import { describe, expect, it } from 'vitest';
import { parseTrace } from './trace.ts';

const HEADER = 'session,kind,key,start_ms,wait_ms,input_tokens';

describe('trace', () => {
  it('reads rows with and without tokens, quotes, CRLF, a BOM and columns in any order', () => {
    const csv =
      '\uFEFFkind,key,session,wait_ms,start_ms,input_tokens,more\r\nllm,"a ""b"", c",s1,1.5,10,200,x\r\ntool,Grep,s1,0,12,,\r\n';
    expect(parseTrace(csv, 't.csv')).toEqual([
      { session: 's1', kind: 'llm', key: 'a "b", c', startMs: 10, waitMs: 1.5, inputTokens: 200 },
      { session: 's1', kind: 'tool', key: 'Grep', startMs: 12, waitMs: 0, inputTokens: undefined },
    ]);
  });

  it.each([
    ['', 't.csv:1: is empty'],
    ['session,kind,key,start_ms\n', 't.csv:1: has no column wait_ms, input_tokens'],
    [`${HEADER}\ns,llm,k,0,1,\ns,llm,k,0,-1,\n`, 't.csv:3: column wait_ms: "-1"'],
    [`${HEADER}\ns,llm,k,zero,1,\n`, 't.csv:2: column start_ms: "zero"'],
    [`${HEADER}\ns,llm,k,0,NaN,\n`, 't.csv:2: column wait_ms: "NaN"'],
    [`${HEADER}\ns,llm,k,0,0x10,\n`, 't.csv:2: column wait_ms: "0x10"'],
    [`${HEADER}\ns,llm,k,0,1e99,\n`, 't.csv:2: column wait_ms'],
    [`${HEADER}\ns,llm,k,0,1,many\n`, 't.csv:2: column input_tokens: "many"'],
    [`${HEADER}\n,llm,k,0,1,\n`, 't.csv:2: column session is empty'],
    [`${HEADER}\ns,llm,k,0\n`, 't.csv:2: has 4 fields, the header 6'],
    [`${HEADER}\ns,llm,"k,0,1,\n`, 't.csv:'],
  ])('says line and column of what is wrong: %j', (csv, message) => {
    expect(() => parseTrace(csv, 't.csv')).toThrow(
      expect.objectContaining({ code: 'PREWAKE_USAGE', message: expect.stringContaining(message) }),
    );
  });
});
